// Package events hands changes to everybody who listens in this process.
package events

import "sync"

// Change tells that a service changed; with the action Reload, that changes may have been missed.
type Change struct {
	Action string `json:"action"` // created, updated, deleted, reload
	ID     int64  `json:"id,omitempty"`
}

// Reload is the action of a change that stands for any number of unknown ones.
const Reload = "reload"

const buffered = 16

// Hub broadcasts changes to its subscribers.
type Hub struct {
	mu          sync.Mutex
	subscribers map[chan Change]struct{}
	closed      bool
}

// NewHub returns a hub without subscribers.
func NewHub() *Hub {
	return &Hub{subscribers: map[chan Change]struct{}{}}
}

// Subscribe returns the changes from now on. The channel is closed when the hub closes, or when the subscriber falls too far behind.
func (h *Hub) Subscribe() (changes <-chan Change, cancel func()) {
	channel := make(chan Change, buffered)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(channel)
	} else {
		h.subscribers[channel] = struct{}{}
	}
	return channel, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.drop(channel)
	}
}

// Publish never waits: a subscriber whose buffer is full is dropped, and loads everything anew when it comes back.
func (h *Hub) Publish(change Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for channel := range h.subscribers {
		select {
		case channel <- change:
		default:
			h.drop(channel)
		}
	}
}

// Subscribers counts them.
func (h *Hub) Subscribers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subscribers)
}

// Close ends all subscriptions, those to come too.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for channel := range h.subscribers {
		h.drop(channel)
	}
}

func (h *Hub) drop(channel chan Change) {
	if _, ok := h.subscribers[channel]; ok {
		delete(h.subscribers, channel)
		close(channel)
	}
}
