package scenario

// sometimes are the names under which a world counts what rarely happens and
// has to.
var sometimes []string
