//go:build real

package testbed

import (
	"os"
	"path/filepath"
	"testing"
)

const nginxModules = "/usr/lib/nginx/modules"

// The rest of an nginx around moonwatch.conf, as Debian's is.
const aroundNginx = `
load_module MODULES/ndk_http_module.so;
load_module MODULES/ngx_http_lua_module.so;
user root;
worker_processes 2;
error_log stderr warn;
pid DIR/nginx.pid;
daemon off;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	include DIR/moonwatch.conf;
	upstream web { server SERVICE; keepalive 64; }
	server {
		listen FRONT;
		server_name _;
		keepalive_requests 1000000;
		error_page 404 /elsewhere;
		proxy_intercept_errors on;
		location / { proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
		location = /elsewhere { internal; proxy_pass http://web/; }
	}
}
`

// DoorKey is the key of every Nginx.
const DoorKey = "0123456789abcdef0123456789abcdef"

// Nginx runs the sample configuration of a door in front of a service, as a service manager
// does: a master and two workers.
type Nginx struct {
	*Process
	Front, Door string // where clients ask, and where the agent does
}

// NewNginx prepares one with configs/nginx, as found at a path, changed by pairs of old and
// new. It is not started.
func NewNginx(t testing.TB, configs, service string, changes ...string) *Nginx {
	t.Helper()
	p := &Nginx{Process: Folder(t, "nginx"), Front: FreeAddress(t), Door: FreeAddress(t)}
	if _, err := os.Stat(nginxModules + "/ngx_http_lua_module.so"); err != nil {
		t.Skip("nginx has no Lua: apt-get install libnginx-mod-http-lua")
	}
	text, err := os.ReadFile(filepath.Join(configs, "moonwatch.conf"))
	must(t, err)
	lua, err := filepath.Abs(configs)
	must(t, err)
	p.Write("moonwatch.conf", string(text), "/etc/nginx/moonwatch", lua, "/etc/moonwatch/door.key", p.Path("door.key"), "127.0.0.1:7982", p.Door)
	p.Write("nginx.conf", aroundNginx, append(changes, "MODULES", nginxModules, "DIR", p.Dir, "SERVICE", service, "FRONT", p.Front)...)
	p.Write("door.key", DoorKey+"\n")
	return p
}

// Config is the path of its configuration.
func (p *Nginx) Config() string { return p.Path("nginx.conf") }

// Start runs it, also after a Kill.
func (p *Nginx) Start() {
	p.t.Helper()
	p.Process.Start(func() bool { return Listens(p.Front) && Listens(p.Door) }, "-p", p.Dir, "-c", p.Config())
}
