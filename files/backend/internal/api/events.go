package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// events streams changes as Server-Sent Events, until the client goes or the server stops.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	stream := http.NewResponseController(w)
	if err := stream.SetReadDeadline(time.Time{}); err != nil {
		fail(w, r, err)
		return
	}
	changes, cancel := s.hub.Subscribe()
	defer cancel()

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store, no-transform")
	w.Header().Set("X-Accel-Buffering", "no")
	send := func(format string, args ...any) bool {
		// The server's write timeout is for whole responses; here each message has its own.
		if stream.SetWriteDeadline(time.Now().Add(10*time.Second)) != nil {
			return false
		}
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && stream.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return
	}
	heartbeat := time.NewTicker(s.heartbeat)
	defer heartbeat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-heartbeat.C:
			if !send(": heartbeat\n\n") {
				return
			}
		case change, open := <-changes:
			if !open {
				return
			}
			data, err := json.Marshal(change)
			if err != nil {
				logger(r).Error("a change cannot be sent", "error", err.Error())
				return
			}
			if !send("event: change\ndata: %s\n\n", data) {
				return
			}
		}
	}
}
