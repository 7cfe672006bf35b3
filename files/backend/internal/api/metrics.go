package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
)

type metrics struct {
	mu       sync.Mutex
	requests map[int]uint64 // by status
	inFlight int
}

func newMetrics() *metrics { return &metrics{requests: map[int]uint64{}} }

func (m *metrics) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight++
}

func (m *metrics) end(status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight--
	m.requests[status]++
}

func (s *server) writeMetrics(w http.ResponseWriter, _ *http.Request) {
	s.metrics.mu.Lock()
	requests, inFlight := maps.Clone(s.metrics.requests), s.metrics.inFlight
	s.metrics.mu.Unlock()

	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	fmt.Fprintf(w, "# HELP pulsegrid_build_info The running release.\n# TYPE pulsegrid_build_info gauge\npulsegrid_build_info{version=%q,env=%q} 1\n", s.Version, s.Env)
	fmt.Fprint(w, "# HELP http_requests_total Requests answered, by status code.\n# TYPE http_requests_total counter\n")
	for _, code := range slices.Sorted(maps.Keys(requests)) {
		fmt.Fprintf(w, "http_requests_total{code=\"%d\"} %d\n", code, requests[code])
	}
	fmt.Fprintf(w, "# HELP http_requests_in_flight Requests being answered.\n# TYPE http_requests_in_flight gauge\nhttp_requests_in_flight %d\n", inFlight)
	fmt.Fprintf(w, "# HELP event_streams Browsers that listen for changes.\n# TYPE event_streams gauge\nevent_streams %d\n", s.hub.Subscribers())
}
