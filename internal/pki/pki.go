// Package pki makes and checks the certificates of one cluster.
//
// A cluster has one CA. The CA issues one certificate per member, and the
// certificate carries who it is for as a URI, moonwatch://CLUSTER/MEMBER, so
// that a certificate of another cluster is told apart by name and not only by
// its signature. All keys are Ed25519: the key of a member's certificate also
// signs its votes.
//
// What it promises: both sides of a connection made with [Source.Server] and
// [Source.Client] speak TLS 1.3, hold a certificate that this CA signed, are of
// this cluster and are within their validity, by the clock of the side that
// checks. What is wrong is said in an error that [errors.Is] can tell apart; an
// expired certificate is such an error and nothing worse. Whose key was withdrawn is
// not known here: [Source.Refuse] asks whoever knows, in every handshake.
//
// What it does not do: a connection that stands is not cut when a certificate
// expires in the meantime.
package pki

import (
	"errors"
	"time"
)

const (
	// MemberValidity is how long a member's certificate is good for. Long
	// enough to miss two monthly renewals, short enough that a stolen one ends.
	MemberValidity = 90 * 24 * time.Hour

	// CAValidity is how long the CA is good for: a CA that ends takes the whole
	// cluster with it, so it outlives the machines.
	CAValidity = 10 * 365 * 24 * time.Hour

	// backdate lets a certificate begin before it was made, so that a member
	// whose clock is some minutes late can use it at once.
	backdate = 15 * time.Minute
)

// What can be wrong with a certificate or a key. The errors that carry them
// name the file or the member, and what was found.
var (
	ErrExpired       = errors.New("certificate expired")
	ErrNotYetValid   = errors.New("certificate not yet valid")
	ErrOtherCluster  = errors.New("certificate of another cluster")
	ErrOtherCA       = errors.New("certificate signed by another CA")
	ErrNoIdentity    = errors.New("certificate names no cluster")
	ErrNoCertificate = errors.New("no certificate")
	ErrKeyMismatch   = errors.New("key does not belong to the certificate")
	ErrUnsafeMode    = errors.New("key file open to others")
	ErrRevoked       = errors.New("certificate withdrawn")
)
