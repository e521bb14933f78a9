// Package calls keeps memory in order from call to call.
package calls

import (
	"runtime"
	"runtime/debug"

	witRuntime "go.bytecodealliance.org/pkg/wit/runtime"
)

// So much may be in use before a call ends with a collection, in bytes.
const plenty = 8 << 20

// While the host hands out a value a plugin must call nothing, and a collection that starts then asks for the time:
// the call would trap. So no collection starts by itself.
func init() {
	debug.SetGCPercent(-1)
}

// End is due at the end of each call that read something: what the host handed out stays pinned until then.
func End() {
	witRuntime.Unpin()
	var memory runtime.MemStats
	if runtime.ReadMemStats(&memory); memory.HeapAlloc > plenty {
		runtime.GC()
	}
}
