package refound

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"moonwatch/consensus"
	"moonwatch/internal/pki"
)

// Signed is a plan with one operator's signature, as it lies in a file.
type Signed struct {
	Plan    json.RawMessage   `json:"plan"`
	Warrant consensus.Warrant `json:"warrant"`
}

// ReadPlan reads a plan's file. What it does not know, it refuses: nobody may sign
// what this build does not show.
func ReadPlan(path string) (consensus.RefoundPlan, error) {
	p, err := readFile[consensus.RefoundPlan](path)
	if err != nil {
		return p, fmt.Errorf("plan: %w", err)
	}
	if p.Cluster == "" || p.Number == 0 || len(p.Council) == 0 {
		return p, fmt.Errorf("plan %s: cluster, number or council is missing: want what 'moonwatch council recover plan' wrote", path)
	}
	return p, nil
}

// ReadSurvivor reads what a survey wrote.
func ReadSurvivor(path string) (consensus.Survivor, error) {
	s, err := readFile[consensus.Survivor](path)
	if err == nil && s.Member == "" {
		err = fmt.Errorf("%s: names no member: want what 'moonwatch council recover survey' wrote", path)
	}
	if err != nil {
		return s, fmt.Errorf("survivor: %w", err)
	}
	return s, nil
}

// maxFile bounds what is read.
const maxFile = 4 << 20

// readFile reads one JSON value, strictly.
func readFile[T any](path string) (v T, err error) {
	f, err := os.Open(path)
	if err != nil {
		return v, err
	}
	defer func() { _ = f.Close() }() // only read
	d := json.NewDecoder(io.LimitReader(f, maxFile))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return v, fmt.Errorf("%s: something follows the first JSON value", path)
	}
	return v, nil
}

// Sign signs a plan. It fails with a key that the plan's cluster granted nothing.
func Sign(p consensus.RefoundPlan, key *pki.OperatorKey) (Signed, error) {
	plan, err := json.Marshal(p)
	if err != nil {
		return Signed{}, fmt.Errorf("sign: %w", err)
	}
	return Signed{Plan: plan, Warrant: consensus.Warrant{
		Operator: key.Name, Key: key.PublicKey(), Grant: key.Grant, Signature: key.Sign(consensus.RefoundText(p.Cluster, plan)),
	}}, nil
}

// Join reads two signed files of one plan.
func Join(first, second string) (consensus.Refounding, error) {
	var r consensus.Refounding
	for i, path := range []string{first, second} {
		s, err := readFile[Signed](path)
		if err != nil {
			return r, fmt.Errorf("signed plan: %w", err)
		}
		var plan bytes.Buffer
		if err := json.Compact(&plan, s.Plan); err != nil || len(s.Warrant.Signature) == 0 {
			return r, fmt.Errorf("signed plan %s: no plan or no signature in it: want what 'moonwatch council recover sign' wrote", path)
		}
		if i > 0 && !bytes.Equal(plan.Bytes(), r.Plan) {
			return r, fmt.Errorf("%s and %s hold different plans: both operators have to sign the same file%s", first, second, differ(r.Plan, plan.Bytes()))
		}
		r.Plan = plan.Bytes()
		r.Warrants = append(r.Warrants, s.Warrant)
	}
	return r, nil
}

// differ names the fields in which two plans differ.
func differ(a, b []byte) string {
	var x, y map[string]json.RawMessage
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return ""
	}
	for _, k := range []string{"cluster", "number", "bearer", "head", "hash", "council", "lost", "term", "raft", "time"} {
		if !bytes.Equal(x[k], y[k]) {
			return fmt.Sprintf(" (%s: %s and %s)", k, x[k], y[k])
		}
	}
	return ""
}
