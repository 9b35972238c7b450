package whatif

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// whom takes the members that a sentence speaks of.
func (s *sentence) whom(d *Deed) error {
	for {
		if s.next("leader") {
			d.Leader = true
		} else {
			ids, err := s.some()
			if err != nil {
				return err
			}
			d.Whom = append(d.Whom, ids...)
		}
		if !s.next("and", ",") {
			break
		}
	}
	if d.Leader && len(d.Whom) > 0 {
		return fmt.Errorf("the leader and %s are two sentences", d.Whom[0])
	}
	slices.Sort(d.Whom)
	d.Whom = slices.Compact(d.Whom)
	return nil
}

// some takes one group of members.
func (s *sentence) some() ([]member.ID, error) {
	switch {
	case s.next("half"):
		return s.share(0.5)
	case s.next("all"):
		s.next("of")
		return s.group()
	case s.next("a"):
		if s.phrase("minority", "of", "council") {
			return s.council((len(s.fleet.Council) - 1) / 2)
		}
		if s.phrase("majority", "of", "council") {
			return s.council(len(s.fleet.Council)/2 + 1)
		}
		ids, err := s.group()
		if err != nil {
			return nil, err
		}
		return ids[:min(1, len(ids))], nil
	case s.phrase("minority", "of", "council"):
		return s.council((len(s.fleet.Council) - 1) / 2)
	case s.phrase("majority", "of", "council"):
		return s.council(len(s.fleet.Council)/2 + 1)
	}
	if len(s.words) > 1 {
		if n, err := strconv.Atoi(s.words[0]); err == nil {
			return s.count(n)
		}
	}
	return s.group()
}

// count takes "20 % of ..." and "2 members of ...".
func (s *sentence) count(n int) ([]member.ID, error) {
	s.words = s.words[1:]
	if s.next("%") {
		if n < 1 || n > 100 {
			return nil, fmt.Errorf("%d %% of something is impossible", n)
		}
		return s.share(float64(n) / 100)
	}
	s.next("members")
	s.next("of")
	ids, err := s.group()
	if err != nil {
		return nil, err
	}
	if n < 1 || n > len(ids) {
		return nil, fmt.Errorf("%d of %d members are impossible", n, len(ids))
	}
	return spreadOut(ids, n), nil
}

func (s *sentence) share(share float64) ([]member.ID, error) {
	s.next("of")
	ids, err := s.group()
	if err != nil {
		return nil, err
	}
	return spreadOut(ids, portion(len(ids), share)), nil
}

func (s *sentence) council(n int) ([]member.ID, error) {
	if n < 1 {
		return nil, fmt.Errorf("a council of %d has no such part", len(s.fleet.Council))
	}
	return s.fleet.Council[:n], nil
}

// spreadOut takes n of the members, evenly: those of one failure domain stand
// together, so each loses its part.
func spreadOut(ids []member.ID, n int) []member.ID {
	out := make([]member.ID, 0, n)
	for i := range n {
		out = append(out, ids[i*len(ids)/n])
	}
	return out
}

// group takes the name of a group of members, or of one.
func (s *sentence) group() ([]member.ID, error) {
	name, err := s.take("a member")
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(name) {
	case "fleet", "everybody", "members", "everything":
		return s.where("the fleet", func(member.Member) bool { return true })
	case "council":
		return s.fleet.Council, nil
	case "spares", "spare":
		return s.where("the spares", s.isSpare)
	case "occupants":
		return s.where("the occupants", func(m member.Member) bool { return m.Pool != "" && !s.isSpare(m) })
	case "pool":
		return s.pool()
	case "slot":
		return s.slot()
	case "failure":
		if !s.next("domain") {
			return nil, fmt.Errorf(`"failure" wants "domain NAME" after it`)
		}
		return s.domain()
	case "domain":
		return s.domain()
	}
	return s.member(name)
}

// where lists the members for which ok holds, by failure domain and name.
func (s *sentence) where(what string, ok func(member.Member) bool) ([]member.ID, error) {
	var list []member.Member
	for _, m := range s.fleet.Fleet.Members {
		if ok(m) {
			list = append(list, m)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: there are none", what)
	}
	slices.SortFunc(list, func(a, b member.Member) int {
		if c := strings.Compare(string(a.Domain), string(b.Domain)); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	ids := make([]member.ID, len(list))
	for i, m := range list {
		ids[i] = m.ID
	}
	return ids, nil
}

func (s *sentence) isSpare(m member.Member) bool {
	if m.Pool == "" {
		return false
	}
	for _, id := range s.fleet.Occupants {
		if id == m.ID {
			return false
		}
	}
	return true
}

// pool takes a pool's name; a fleet with one pool needs none.
func (s *sentence) pool() ([]member.ID, error) {
	pools := s.fleet.Fleet.Pools
	var names []string
	for _, p := range pools {
		names = append(names, p.Name)
	}
	name := ""
	switch {
	case len(s.words) > 0 && slices.Contains(names, s.words[0]):
		name, _ = s.take("a pool")
	case len(s.words) > 0 && strings.ToLower(s.words[0]) != "and" && s.words[0] != "," && strings.ToLower(s.words[0]) != "from":
		return nil, fmt.Errorf("there is no pool %s: %s", s.words[0], known(s.words[0], names))
	case len(pools) == 1:
		name = names[0]
	default:
		return nil, fmt.Errorf("which pool? There are %s", strings.Join(names, ", "))
	}
	return s.where("pool "+name, func(m member.Member) bool { return m.Pool == name })
}

func (s *sentence) slot() ([]member.ID, error) {
	name, err := s.take("a slot")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range s.fleet.Fleet.Pools {
		for _, id := range p.Slots {
			names = append(names, string(id))
		}
	}
	if !slices.Contains(names, name) {
		return nil, fmt.Errorf("there is no slot %s: %s", name, known(name, names))
	}
	id := s.fleet.Occupants[member.SlotID(name)]
	if id == "" {
		return nil, fmt.Errorf("slot %s has no occupant", name)
	}
	return []member.ID{id}, nil
}

func (s *sentence) domain() ([]member.ID, error) {
	name, err := s.take("a failure domain")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range s.fleet.Fleet.Members {
		names = append(names, string(m.Domain))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if !slices.Contains(names, name) {
		return nil, fmt.Errorf("there is no failure domain %s: %s", name, known(name, names))
	}
	return s.where("failure domain "+name, func(m member.Member) bool { return string(m.Domain) == name })
}

func (s *sentence) member(name string) ([]member.ID, error) {
	var names []string
	for _, m := range s.fleet.Fleet.Members {
		if string(m.ID) == name {
			return []member.ID{m.ID}, nil
		}
		names = append(names, string(m.ID))
	}
	return nil, fmt.Errorf("there is no member %s: %s", name, known(name, names))
}

// known says what there is instead of a name.
func known(name string, names []string) string {
	slices.SortStableFunc(names, func(a, b string) int { return strict.Distance(name, a) - strict.Distance(name, b) })
	if len(names) > 0 && strict.Distance(name, names[0]) <= 2 {
		return "is it " + names[0] + "?"
	}
	if len(names) > 8 {
		return fmt.Sprintf("there are %s and %d more", strings.Join(names[:8], ", "), len(names)-8)
	}
	return "there are " + strings.Join(names, ", ")
}
