package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"sync"
)

// What the page loads. idiomorph.min.js is version 0.8.0 as published, under
// the licence beside it.
//
//go:embed assets
var assetFiles embed.FS

// assets are the files by name, and base is where they are found: its stamp
// covers their content, so that a browser may keep them for ever. What is sent is made
// when it is first asked for.
var assets, base = loadAssets()

func loadAssets() (map[string]func() content, string) {
	kinds := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".LICENSE": "text/plain; charset=utf-8",
	}
	out, all := map[string]func() content{}, sha256.New()
	files, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		panic(fmt.Sprintf("web: embedded assets: %v", err))
	}
	for _, f := range files {
		b, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			panic(fmt.Sprintf("web: embedded asset %s: %v", f.Name(), err))
		}
		all.Write(b)
		out[f.Name()] = sync.OnceValue(func() content { return newContent(kinds[path.Ext(f.Name())], b) })
	}
	return out, "/assets/" + hex.EncodeToString(all.Sum(nil)[:6])
}

// serveAsset serves one file, for ever under the present stamp; a page of an
// earlier build gets today's file and is told not to keep it.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	made, ok := assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	c := made()
	if "/assets/"+r.PathValue("stamp") != base {
		answer(w, r, c)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Vary", "Accept-Encoding")
	b := c.plain
	if acceptsGzip(r) {
		b = c.gzip
	}
	send(w, r, c.kind, b)
}
