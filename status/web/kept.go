package web

import (
	"maps"
	"reflect"
	"sync"
	"time"
)

// keptAnswers bounds how many pages are kept that are made for one question each. In an
// incident many people ask for few; a verdict about a third of 200 members is 300 KB.
const keptAnswers = 8

// keptFor is how long a page is kept that nobody asks for: a browser that shows one asks
// each few seconds, and after an incident nothing of it is to stay in memory.
const keptFor = time.Minute

// kept are pages that were made before, each with what it was made from: its basis, which
// is compared in no time, and what is written on it. If either is what it was, so is the
// page, and nothing is written and compressed twice. Of many who ask for a new page at the
// same time, one makes it.
//
// Names have all in them that clients choose, the language among it.
type kept struct {
	mu    sync.Mutex
	pages map[string]*keptPage
}

type keptPage struct {
	basis any // nil: nobody knows
	from  any
	made  func() content
	asked time.Time // for the last time
}

// made is the page called name, if it was made from this basis.
func (k *kept) made(now time.Time, name string, basis any) (content, bool) {
	k.mu.Lock()
	p, known := k.pages[name]
	same := known && basis != nil && p.basis == basis
	if same {
		p.asked = now
	}
	k.mu.Unlock()
	if !same {
		return content{}, false
	}
	return p.made(), true
}

// page is the page called name, on which from is written. The basis is of before from was
// found out.
func (k *kept) page(now time.Time, name string, basis, from any, write func() []byte) content {
	return k.find(now, name, basis, from, write).made()
}

func (k *kept) find(now time.Time, name string, basis, from any, write func() []byte) *keptPage {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, known := k.pages[name]
	if known && reflect.DeepEqual(p.from, from) {
		p.basis, p.asked = basis, now
		return p
	}
	if k.pages == nil || !known && len(k.pages) >= keptAnswers {
		k.pages = map[string]*keptPage{}
	}
	made := sync.OnceValue(func() content { return newContent("text/html; charset=utf-8", write()) })
	p = &keptPage{basis: basis, from: from, made: made, asked: now}
	k.pages[name] = p
	return p
}

// forget drops the pages that nobody has asked for in keptFor.
func (k *kept) forget(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.pages, func(_ string, p *keptPage) bool { return now.Sub(p.asked) >= keptFor })
}
