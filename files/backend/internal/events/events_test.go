package events

import "testing"

func TestEverySubscriberGetsEveryChange(t *testing.T) {
	hub := NewHub()
	first, _ := hub.Subscribe()
	second, cancel := hub.Subscribe()
	want := Change{Action: "created", ID: 7}
	hub.Publish(want)
	for _, changes := range []<-chan Change{first, second} {
		if got := <-changes; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	cancel()
	cancel() // twice does no harm
	if hub.Subscribers() != 1 {
		t.Errorf("got %d subscribers, want 1", hub.Subscribers())
	}
	hub.Publish(want)
	if _, open := <-second; open {
		t.Error("a cancelled subscription got a change")
	}
}

func TestSlowSubscriberIsDroppedAndStopsNobody(t *testing.T) {
	hub := NewHub()
	slow, cancel := hub.Subscribe()
	defer cancel()
	for id := range int64(buffered + 1) {
		hub.Publish(Change{Action: "updated", ID: id + 1})
	}
	received := 0
	for range slow {
		received++
	}
	if received != buffered || hub.Subscribers() != 0 {
		t.Errorf("got %d changes and %d subscribers, want %d and none", received, hub.Subscribers(), buffered)
	}
}

func TestCloseEndsSubscriptionsNowAndLater(t *testing.T) {
	hub := NewHub()
	before, cancel := hub.Subscribe()
	hub.Close()
	cancel()
	after, _ := hub.Subscribe()
	for _, changes := range []<-chan Change{before, after} {
		if _, open := <-changes; open {
			t.Error("a subscription is open after Close")
		}
	}
}
