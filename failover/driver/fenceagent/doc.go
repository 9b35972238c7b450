// Package fenceagent fences other members through the fence-agents of the cluster
// world: programs such as fence_ipmilan or fence_virsh that switch a machine's
// power or its port at a switch. About a hundred of them exist. They are told what
// to do in lines key=value on standard input, action= among them, and answer with an
// exit code.
//
// What one says of its own deed proves nothing: manual pages warn that "this fence
// agent might report success before the node is powered off". Proof is the status,
// asked until it has been "off" twice, with a second between. A program that hangs,
// prints garbage or contradicts itself gives no proof, and no proof is Unknown.
package fenceagent
