package gateway

import (
	"testing"

	"moonwatch/shield/conform"
	"moonwatch/shield/count"
)

func TestTheGatewayConforms(t *testing.T) {
	conform.Run(t, conform.Subject{
		NoRestart: "the gateway is in its agent, and begins anew with what its agent decides anew",
		Fresh: func(t *testing.T) *conform.Target {
			counter, err := count.New(count.Config{Hosts: 10_000, Salt: conform.Salt, Learn: 10_000})
			if err != nil {
				t.Fatal(err)
			}
			g := open(t, Config{Counter: counter}, tableOf(services(t, 1)))
			return &conform.Target{Door: g, Addr: g.Addr().String()}
		},
	})
}
