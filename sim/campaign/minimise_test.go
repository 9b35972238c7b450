package campaign

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
)

// without leaves out runs of a list, the longest first.
func without(list []int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		for _, c := range chunks(len(list)) {
			if !yield(slices.Delete(slices.Clone(list), c.from, c.to)) {
				return
			}
		}
	}
}

// both breaks while 3 and 17 are in the list.
func both(runs *int) func(context.Context, [][]int) (int, error) {
	return func(_ context.Context, batch [][]int) (int, error) {
		*runs += len(batch)
		return slices.IndexFunc(batch, func(l []int) bool { return slices.Contains(l, 3) && slices.Contains(l, 17) }), nil
	}
}

func twenty() []int {
	var list []int
	for i := range 20 {
		list = append(list, i)
	}
	return list
}

func TestTwentyBecomeTheTwoThatMatterWhateverTheWidth(t *testing.T) {
	for width := 1; width <= 4; width++ {
		runs := 0
		s := search[[]int]{smaller: without, key: func(l []int) string { return fmt.Sprint(l) }, width: width, try: both(&runs)}
		got, err := s.minimise(t.Context(), twenty())
		if err != nil || !slices.Equal(got, []int{3, 17}) || runs > 80 {
			t.Errorf("width %d: %v %v in %d runs", width, got, err, runs)
		}
	}
}

func TestTheSameCaseIsNotTriedTwice(t *testing.T) {
	tried := map[string]bool{}
	s := search[[]int]{smaller: without, key: func(l []int) string { return fmt.Sprint(l) }, width: 1}
	s.try = func(_ context.Context, batch [][]int) (int, error) {
		k := fmt.Sprint(batch[0])
		if tried[k] {
			t.Errorf("%s twice", k)
		}
		tried[k] = true
		return slices.IndexFunc(batch, func(l []int) bool { return slices.Contains(l, 11) }), nil
	}
	if got, err := s.minimise(t.Context(), twenty()); err != nil || !slices.Equal(got, []int{11}) {
		t.Error(got, err)
	}
}

func TestWhenTimeIsUpTheBestSoFarIsGiven(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	s := search[[]int]{smaller: without, key: func(l []int) string { return fmt.Sprint(l) }, width: 1}
	try := both(&runs)
	s.try = func(ctx context.Context, batch [][]int) (int, error) {
		if runs == 6 {
			cancel()
		}
		return try(ctx, batch)
	}
	got, err := s.minimise(ctx, twenty())
	if !errors.Is(err, context.Canceled) || len(got) == 20 || !slices.Contains(got, 3) || !slices.Contains(got, 17) {
		t.Error(got, err)
	}
}
