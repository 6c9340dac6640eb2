package copier

import (
	"net/http"

	"go.uber.org/zap"

	"cloudmirror/storage"
)

// logLeftOut logs which of the origin's headers the copy will lack. Neither values nor
// names of metadata are logged: the origin writes them, and they may be secrets, or
// long.
func (t *task) logLeftOut(header http.Header) {
	if line := t.logger.Check(zap.DebugLevel, "headers are not kept with the copy: too long, or not allowed in HTTP"); line != nil {
		if names := storage.LeftOut(header); len(names) > 0 {
			line.Write(zap.Strings("names", names))
		}
	}
}
