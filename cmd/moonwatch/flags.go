package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError names the flag that was probably meant. Where the command does not exist,
// its flags are unknown for that reason, and the command is named.
func flagError(c *cobra.Command, err error) error {
	if words := c.Flags().Args(); c.HasSubCommands() && len(words) > 0 { // what came before the flag
		if wrong := c.ValidateArgs(words); wrong != nil {
			return wrong
		}
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return withCode(exitUsage, err)
	}
	name := unknown.GetSpecifiedName()
	if meant := nearestFlags(c, name); len(meant) > 0 {
		return usage("unknown flag --%s, did you mean --%s?", name, strings.Join(meant, " or --"))
	}
	return usage("unknown flag --%s", name)
}

// nearestFlags measures flags with the same measure as cobra measures
// commands, which it gives for commands only.
func nearestFlags(c *cobra.Command, name string) []string {
	list := &cobra.Command{SuggestionsMinimumDistance: 2}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			list.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	return list.SuggestionsFor(name)
}

// oneOf is a flag that takes one of a few words.
type oneOf struct {
	value string
	words []string
	name  string // in the help, where the words are too many to stand there
}

func (o *oneOf) String() string { return o.value }
func (o *oneOf) Type() string {
	if o.name != "" {
		return o.name
	}
	return strings.Join(o.words, "|")
}

func (o *oneOf) Set(s string) error {
	for _, w := range o.words {
		if s == w {
			o.value = s
			return nil
		}
	}
	return errors.New("want one of " + strings.Join(o.words, ", "))
}
