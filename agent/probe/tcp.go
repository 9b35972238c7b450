package probe

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"moonwatch/member"
)

// askTCP wants a connection and nothing more.
func (c *Checker) askTCP(ctx context.Context, target Target, check member.TCPCheck) Result {
	question := fmt.Sprintf("connect :%d", check.Port)
	conn, err := c.dial(ctx, "tcp", hostPort(target, check.Port))
	if err != nil {
		return failed(question, err, Silent)
	}
	_ = conn.Close() // the connection was the answer
	return Result{Outcome: Answers, Detail: told(question, "connected")}
}

func hostPort(target Target, port int) string {
	return net.JoinHostPort(target.Addr.String(), strconv.Itoa(port))
}
