package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWhomAPageRefusesAsksTheNext(t *testing.T) {
	answers := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer answers.Close()
	sick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer sick.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	pages := []string{answers.URL, gone.URL, sick.URL}
	for first, want := range map[int]int{0: 1, 1: 3, 2: 2, 3: 1} {
		if tries, err := askAny(context.Background(), http.DefaultClient, pages, first); err != nil || tries != want {
			t.Errorf("from page %d: %d tries, %v; want %d", first, tries, err, want)
		}
	}
	if _, err := askAny(context.Background(), http.DefaultClient, pages[1:], 0); err == nil {
		t.Error("pages that all refuse answered")
	}
}
