package whatif

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// Deed is one sentence, understood: a fault and whom it strikes. Leader stands
// for whoever leads when it strikes, which nobody knows beforehand.
type Deed struct {
	sim.Fault
	Leader bool
	Says   string // the sentence
}

// Forms are the sentences that Understand takes, for help and errors.
func Forms() []string {
	return []string{
		"kill WHO", "kill the agent of WHO", "kill the service of WHO", "stall WHO for 5s", "isolate WHO",
		"cut WHO from WHO", "lose failure domain NAME", "restart WHO", "fill the disk of WHO", "stall the disk of WHO",
		"lose 30% of the packets of WHO",
	}
}

// Subjects are what may stand for WHO.
func Subjects() []string {
	return []string{
		"a member's name", "slot NAME", "the leader", "failure domain NAME", "half of the pool", "half of pool NAME",
		"20% of the fleet", "2 members of pool NAME", "a spare", "all spares", "a minority of the council", "A and B",
	}
}

// ErrNotUnderstood begins every error about a sentence.
var ErrNotUnderstood = errors.New("not understood")

// Fleet is what sentences may speak about.
type Fleet struct {
	Fleet     *member.Fleet
	Council   []member.ID
	Occupants map[member.SlotID]member.ID
}

// stallFor is how long "stall" lasts if nobody says: longer than what is drained
// and undrained, so that the answer is worth something.
const stallFor = 5 * time.Second

// Understand reads one sentence about a fleet, such as "kill web-3", "lose
// failure domain b at 30s" or "stall the leader for 5s". Articles, hyphens
// between words and the case of letters do not matter.
func Understand(says string, f Fleet) (Deed, error) {
	s := &sentence{fleet: f, said: says, words: split(says)}
	d, err := s.read()
	if err != nil {
		return Deed{}, fmt.Errorf("%q: %w: %w", says, ErrNotUnderstood, err)
	}
	d.Says = says
	return d, nil
}

// sentence is one that is being read, word by word.
type sentence struct {
	fleet Fleet
	said  string
	words []string
}

// split takes articles and punctuation out.
func split(says string) []string {
	says = strings.NewReplacer(",", " , ", "%", " % ", "failure-domain", "failure domain").Replace(says)
	words := strings.Fields(says)
	return slices.DeleteFunc(words, func(w string) bool {
		switch strings.ToLower(w) {
		case "the", "please", ".":
			return true
		}
		return false
	})
}

// next takes the next word if it is one of these.
func (s *sentence) next(words ...string) bool {
	if len(s.words) == 0 || !slices.Contains(words, strings.ToLower(s.words[0])) {
		return false
	}
	s.words = s.words[1:]
	return true
}

// phrase takes several words or none.
func (s *sentence) phrase(words ...string) bool {
	if len(s.words) < len(words) {
		return false
	}
	for i, w := range words {
		if strings.ToLower(s.words[i]) != w {
			return false
		}
	}
	s.words = s.words[len(words):]
	return true
}

// take is the next word, whatever it is.
func (s *sentence) take(what string) (string, error) {
	if len(s.words) == 0 {
		return "", fmt.Errorf("it ends where %s was expected", what)
	}
	w := s.words[0]
	s.words = s.words[1:]
	return w, nil
}

func (s *sentence) read() (Deed, error) {
	var d Deed
	if err := s.times(&d); err != nil {
		return d, err
	}
	if err := s.verb(&d); err != nil {
		return d, err
	}
	if len(s.words) > 0 {
		return d, fmt.Errorf("%q was not expected after the rest", strings.Join(s.words, " "))
	}
	return d, d.settle()
}

// times takes "for 5s", "at 30s" and "after 30s" from the end.
func (s *sentence) times(d *Deed) error {
	for len(s.words) >= 2 {
		n := len(s.words)
		into := &d.For
		switch strings.ToLower(s.words[n-2]) {
		case "for":
		case "at", "after":
			into = &d.At
		default:
			return nil
		}
		t, err := time.ParseDuration(s.words[n-1])
		if err != nil || t <= 0 {
			return fmt.Errorf("%q is no time, want for example 30s or 5m", s.words[n-1])
		}
		*into = t
		s.words = s.words[:n-2]
	}
	return nil
}

// verb takes what happens, and to whom.
func (s *sentence) verb(d *Deed) error {
	switch {
	case s.phrase("kill", "agent", "of"), s.phrase("kill", "agents", "of"):
		d.Do = sim.KillAgent
	case s.phrase("kill", "service", "of"), s.phrase("kill", "services", "of"):
		d.Do = sim.KillService
	case s.phrase("fill", "disk", "of"), s.phrase("fill", "disks", "of"):
		d.Do = sim.FullDisk
	case s.phrase("stall", "disk", "of"), s.phrase("stall", "disks", "of"):
		d.Do = sim.StallDisk
	case s.packets(d):
	case s.next("kill", "crash", "lose", "half"):
		d.Do = sim.Crash
		if first := strings.ToLower(s.said); strings.HasPrefix(first, "half") {
			s.words = append([]string{"half"}, s.words...) // "half of the pool", which is lost
		}
	case s.next("stall", "pause", "freeze"):
		d.Do = sim.Pause
	case s.next("isolate"):
		d.Do = sim.Isolate
	case s.next("restart"):
		d.Do = sim.Crash
		if d.For == 0 {
			d.For = 30 * time.Second
		}
		d.Serve = true
	case s.next("cut"):
		return s.cut(d)
	case s.next("flood"):
		return errNoFlood
	default:
		return fmt.Errorf("it begins with none of: %s", strings.Join(Forms(), "; "))
	}
	return s.whom(d)
}

// packets reads "lose 30% of the packets of".
func (s *sentence) packets(d *Deed) bool {
	if len(s.words) < 6 || strings.ToLower(s.words[0]) != "lose" || s.words[2] != "%" || strings.ToLower(s.words[4]) != "packets" {
		return false
	}
	n, err := strconv.ParseFloat(s.words[1], 64)
	if err != nil || n <= 0 || n > 100 {
		return false
	}
	d.Do, d.Share = sim.Lossy, n/100
	s.words = s.words[6:]
	return true
}

func (s *sentence) cut(d *Deed) error {
	d.Do = sim.Cut
	if err := s.whom(d); err != nil {
		return err
	}
	if !s.next("from") {
		return errors.New(`"from" is missing: cut WHO from WHO`)
	}
	var other Deed
	if err := s.whom(&other); err != nil {
		return err
	}
	if d.Leader || other.Leader {
		return errors.New("cut is between members that are named: isolate the leader instead")
	}
	d.Other = other.Whom
	for _, id := range d.Whom {
		if slices.Contains(d.Other, id) {
			return fmt.Errorf("%s cannot be cut off from itself", id)
		}
	}
	return nil
}

// errNoFlood is the answer to a flood: its requests would all be served, which
// says nothing about the fleet.
var errNoFlood = errors.New("occupants bear any load here, and the fleet's shield is not played: " +
	"'moonwatch shield replay' says what it would have done about an access log, and scenarios with a shield play floods, such as shield-one-is-flooded")

// settle gives a deed what nobody needs to say.
func (d *Deed) settle() error {
	if d.Do == sim.Pause && d.For == 0 {
		d.For = stallFor
	}
	f := d.Fault
	if d.Leader {
		f.Whom = []member.ID{"leader"}
	}
	return f.Check()
}

// portion is how many of so many a share is: at least one, rounded up.
func portion(of int, share float64) int {
	return min(of, max(1, int(math.Ceil(share*float64(of)-1e-9))))
}
