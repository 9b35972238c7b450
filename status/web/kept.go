package web

import (
	"reflect"
	"sync"
)

// keptAnswers bounds how many pages are kept that are made for one question each. In an
// incident many people ask for few; a verdict about a third of 200 members is 300 KB.
const keptAnswers = 8

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
}

// made is the page called name, if it was made from this basis.
func (k *kept) made(name string, basis any) (content, bool) {
	k.mu.Lock()
	p, known := k.pages[name]
	same := known && basis != nil && p.basis == basis
	k.mu.Unlock()
	if !same {
		return content{}, false
	}
	return p.made(), true
}

// page is the page called name, on which from is written. The basis is of before from was
// found out.
func (k *kept) page(name string, basis, from any, write func() []byte) content {
	return k.find(name, basis, from, write).made()
}

func (k *kept) find(name string, basis, from any, write func() []byte) *keptPage {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, known := k.pages[name]
	if known && reflect.DeepEqual(p.from, from) {
		p.basis = basis
		return p
	}
	if k.pages == nil || !known && len(k.pages) >= keptAnswers {
		k.pages = map[string]*keptPage{}
	}
	p = &keptPage{basis, from, sync.OnceValue(func() content { return newContent("text/html; charset=utf-8", write()) })}
	k.pages[name] = p
	return p
}
