package jwks

// ParseDiscovery is for the fuzz target.
var ParseDiscovery = parseDiscovery

// ParseECDSA is for the fuzz target.
var ParseECDSA = parseECDSA
