package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError names the flag that was probably meant. Where the command does not exist, or
// comes later in the line, its flags are unknown for that reason, and that is said.
func flagError(c *cobra.Command, err error, line []string) error {
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok && wrong.GetFlag().Value.Type() == "duration" {
		return usage("--%s is %q, want a number with a unit: 90s, 15m or 2h", wrong.GetFlag().Name, wrong.GetValue())
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return withCode(exitUsage, err)
	}
	if c.HasSubCommands() {
		if words := c.Flags().Args(); len(words) > 0 { // what came before the flag
			if wrong := c.ValidateArgs(words); wrong != nil {
				return wrong
			}
		}
		if wrong := commandAfter(c, unknown, line); wrong != nil {
			return wrong
		}
	}
	if unknown.GetSpecifiedShortnames() != "" {
		return withCode(exitUsage, err)
	}
	name := unknown.GetSpecifiedName()
	if meant := nearestFlags(c, name); len(meant) > 0 {
		return usage("unknown flag --%s, did you mean --%s?", name, strings.Join(meant, " or --"))
	}
	return usage("unknown flag --%s", name)
}

// commandAfter looks in the line for the command of c that was meant, where an unknown flag
// stands before it: cobra takes the word after such a flag for its value, and finds no
// command. It says nothing where no word is a command with that flag, or looks like one.
func commandAfter(c *cobra.Command, unknown *pflag.NotExistError, line []string) error {
	name := unknown.GetSpecifiedName()
	flag, has := "--"+name, func(sub *cobra.Command) bool { return sub.Flags().Lookup(name) != nil }
	if unknown.GetSpecifiedShortnames() != "" {
		flag, has = "-"+name, func(sub *cobra.Command) bool { return sub.Flags().ShorthandLookup(name) != nil }
	}
	var words []string
	for _, word := range line {
		if !strings.HasPrefix(word, "-") && word != c.Name() && !c.HasAlias(word) {
			words = append(words, word)
		}
	}
	for _, word := range words {
		sub, _, err := c.Find([]string{word})
		switch {
		case err != nil || sub == c || sub.Hidden:
		case has(sub):
			return usage("%s stands before its command: flags come after it, as in '%s %s'", flag, sub.CommandPath(), flag)
		default:
			return nil
		}
	}
	for _, word := range words {
		if len(word) >= shortestTypo && len(suggestionsFor(c, word)) > 0 {
			return unknownCommand(c, word)
		}
	}
	return nil
}

// shortestTypo is how long a word is at least that is taken for a mistyped command, where
// it may be the value of a flag: with two letters exchanged "word" is "hold".
const shortestTypo = 6

// suggestionsFor are the commands of c that look like name, or begin with it.
func suggestionsFor(c *cobra.Command, name string) []string {
	c.SuggestionsMinimumDistance = mistypedBy
	meant := c.SuggestionsFor(name)
	for _, sub := range c.Commands() {
		meant = append(meant, nearest(sub.Aliases, name)...)
	}
	return meant
}

func nearestFlags(c *cobra.Command, name string) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return nearest(names, name)
}

// mistypedBy is how many letters may be wrong in a name for it to be the one that was meant.
const mistypedBy = 2

// nearest measures names with the same measure as cobra measures commands, which it gives
// for commands only.
func nearest(names []string, name string) []string {
	list := &cobra.Command{SuggestionsMinimumDistance: mistypedBy}
	for _, n := range names {
		list.AddCommand(&cobra.Command{Use: n, Run: func(*cobra.Command, []string) {}})
	}
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
