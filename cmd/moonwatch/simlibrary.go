package main

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

// libraryDir is where the scenarios stand in sim.Library.
const libraryDir = "testdata"

// library are the names of the scenarios that are built in, in their order.
func library() []string {
	names := []string{scenario.SwarmName}
	files, err := fs.Glob(sim.Library, path.Join(libraryDir, "*.yaml"))
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(path.Base(f), ".yaml"))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// builtin is the scenario of that name. It is not ok if there is none.
func builtin(name string) (s *source, ok bool, err error) {
	if name == scenario.SwarmName {
		return &source{arg: name, scenario: scenario.BuiltinSwarm()}, true, nil
	}
	if !slices.Contains(library(), name) {
		return nil, false, nil
	}
	s = &source{arg: name}
	if s.text, err = sim.Library.ReadFile(path.Join(libraryDir, name+".yaml")); err != nil {
		return nil, true, err
	}
	if told, err := sim.Library.ReadFile(path.Join(libraryDir, name+".txt")); err == nil {
		s.transcript = told
	}
	s.scenario, err = scenario.Parse(name+".yaml", s.text)
	return s, true, err
}
