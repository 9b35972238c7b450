package orders

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/count"
)

var order = Order{
	Lease: 2 * time.Second, Learn: 10, Seed: 0x9f86d081884c7d65, Want: []string{"www.example.com", "*.example.com", "-"}, Set: "5d41402a-3",
	Hold: []Hold{{"www.example.com", "shape", 300, 70, 10, 65.5}, {"-", "stop", 0, 0, 0, 0}},
}

var counts = Counts{
	Program: "nginx/1.22.1", Life: "12.5-4711", Has: "5d41402a-3", Asked: 100, Refused: 7, Served: 90, Busy: 3, Known: 12, Full: true,
	Hosts: []count.Reading{{Name: "www.example.com", Asked: 50, Refused: 7, Lately: 20}},
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	if got, err := ReadOrder(bytes.NewReader(order.Encode())); err != nil || !reflect.DeepEqual(got, order) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, order)
	}
	if got, err := ReadCounts(bytes.NewReader(counts.Encode())); err != nil || !reflect.DeepEqual(got, counts) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, counts)
	}
}

func TestWhatIsCutShortChangesNothing(t *testing.T) {
	text := order.Encode()
	for n := range len(text) - 1 {
		if got, err := ReadOrder(bytes.NewReader(text[:n])); !errors.Is(err, ErrFormat) || !reflect.DeepEqual(got, Order{}) {
			t.Fatalf("of %q was read: %+v, %v", text[:n], got, err)
		}
	}
	for what, text := range map[string]string{
		"nothing": "", "another program": "HTTP/1.1 200 OK\n", "another format": "moonwatch-door 2\nend\n",
		"no number": Format + "\nlease soon\nend\n", "a long lease": Format + "\nlease 99999999\nend\n", "no cap": Format + "\nset 1\nhold a shape 1 NaN 0 0\nend\n",
	} {
		if _, err := ReadOrder(strings.NewReader(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ReadCounts(strings.NewReader(Format + "\nprogram x\nlife 1\nend\n")); !errors.Is(err, ErrFormat) {
		t.Errorf("without totals: %v", err)
	}
}

func TestUnknownLinesArePassedOver(t *testing.T) {
	text := strings.Replace(string(counts.Encode()), "\n", "\nnew thing 7\n", 3)
	if got, err := ReadCounts(strings.NewReader(text)); err != nil || !reflect.DeepEqual(got, counts) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAMeasureComesBackAsItWas(t *testing.T) {
	until := time.Unix(1000, 0)
	for _, rung := range []shield.Rung{shield.ShapeLocal, shield.Challenge, shield.Stop, shield.Drop} {
		m := shield.Measure{Key: 7, Host: "a.example.com", Rung: rung, Admit: 300, Cap: 70.25, Burst: 10, Limit: 65, Until: until}
		if got := HoldOf("a.example.com", m).Measure(7, until); !reflect.DeepEqual(got, m) {
			t.Errorf("got %+v, want %+v", got, m)
		}
	}
	if got := HoldOf("a", shield.Measure{Rung: shield.ShapeFleet, Admit: -5, Cap: math.Inf(1)}); got.Rung != "shape" || got.Admit != 0 || got.Cap != math.MaxInt32 {
		t.Errorf("got %+v", got)
	}
	if got := HoldOf("a", shield.Measure{Rung: shield.ShapeFleet, Admit: 300, Limit: 100_000, ByCost: true}); got.Limit != 0 {
		t.Errorf("a share of 10 s of work a second is told as %v requests", got.Limit)
	}
}

func FuzzReadOrder(f *testing.F) {
	f.Add(order.Encode())
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := ReadOrder(bytes.NewReader(text))
		if err != nil {
			return
		}
		if again, err := ReadOrder(bytes.NewReader(o.Encode())); err != nil || len(again.Want) != len(o.Want) {
			t.Errorf("%+v was read, written and read: %+v, %v", o, again, err)
		}
	})
}
