package middleware_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"moonwatch/shield/middleware"
)

// A server for many subdomains that serves fifty requests a second. One of them is
// flooded: it is held, and the others go on.
func Example() {
	guard, err := middleware.New(middleware.Config{
		Capacity: 50,
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		// All clients of this example are on one machine; a real server leaves this out.
		Client: func(r *http.Request) string { return r.Header.Get("Example-Client") },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer guard.Close()
	server := httptest.NewServer(guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "welcome")
	})))
	defer server.Close()

	ask := func(client int, host string) int {
		r, _ := http.NewRequest(http.MethodGet, server.URL, nil)
		r.Host = host
		r.Header.Set("Example-Client", fmt.Sprint(client))
		res, err := server.Client().Do(r)
		if err != nil {
			return 0
		}
		defer res.Body.Close()
		return res.StatusCode
	}

	fmt.Println("small.example.com:", ask(0, "small.example.com"))
	for client, end := 0, time.Now().Add(30*time.Second); time.Now().Before(end); client++ {
		if status := ask(client, "flooded.example.com"); status == http.StatusTooManyRequests {
			fmt.Println("flooded.example.com, after a while:", status)
			break
		}
	}
	fmt.Println("small.example.com:", ask(0, "small.example.com"))
	for _, held := range guard.Held() {
		fmt.Println("held:", held.Host)
	}
	// Output:
	// small.example.com: 200
	// flooded.example.com, after a while: 429
	// small.example.com: 200
	// held: flooded.example.com
}

// A guard in shadow says in the log whom it would hold, and lets everybody in.
func ExampleNew_shadow() {
	guard, err := middleware.New(middleware.Config{Capacity: 500, Shadow: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer guard.Close()
	handler := guard.Wrap(http.NotFoundHandler())

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://www.example.com/", nil))
	fmt.Println(w.Code, len(guard.Held()))
	// Output: 404 0
}
