// Package scheduler asks the monitored services whether they are well, again and again.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"pulsegrid/backend/internal/service"
)

const inParallel = 10

// Store is what the scheduler needs of a database.
type Store interface {
	List(ctx context.Context) ([]service.Service, error)
	SaveCheck(ctx context.Context, check service.Check) error
}

// Scheduler checks every enabled service once an interval.
type Scheduler struct {
	store    Store
	client   *http.Client
	interval time.Duration
	log      *slog.Logger
}

// New returns a scheduler that gives a service timeout to answer.
func New(store Store, interval, timeout time.Duration, log *slog.Logger) *Scheduler {
	dialer := &net.Dialer{Control: refuseLinkLocal}
	return &Scheduler{
		store:    store,
		interval: interval,
		log:      log,
		client: &http.Client{
			Timeout:   timeout,
			Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		},
	}
}

// refuseLinkLocal keeps what users type away from the addresses at which AWS hands a task its credentials.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	where, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if where.Addr().Unmap().IsLinkLocalUnicast() {
		return errors.New("link-local addresses are not checked")
	}
	return nil
}

// Run checks until ctx is done. A database that is away for a while is no reason to end.
func (s *Scheduler) Run(ctx context.Context) {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	for {
		if err := s.Round(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("a round of checks failed", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Round checks every enabled service once.
func (s *Scheduler) Round(ctx context.Context) error {
	services, err := s.store.List(ctx)
	if err != nil {
		return err
	}
	var (
		wait     sync.WaitGroup
		slots    = make(chan struct{}, inParallel)
		mutex    sync.Mutex
		failures []error
		checked  int
		well     int
	)
	for _, each := range services {
		if !each.Enabled {
			continue
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			check := s.check(ctx, each)
			if ctx.Err() != nil {
				return // the check was cut off, and says nothing of the service
			}
			err := s.store.SaveCheck(ctx, check)
			mutex.Lock()
			defer mutex.Unlock()
			checked++
			if check.OK {
				well++
			}
			if err != nil && !errors.Is(err, service.ErrNotFound) { // removed meanwhile
				failures = append(failures, fmt.Errorf("service %d: %w", each.ID, err))
			}
		}()
	}
	wait.Wait()
	s.log.Info("services checked", "checked", checked, "well", well)
	return errors.Join(failures...)
}

func (s *Scheduler) check(ctx context.Context, it service.Service) service.Check {
	start := time.Now()
	check := service.Check{ServiceID: it.ID}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, it.URL, nil)
	if err == nil {
		var response *http.Response
		if response, err = s.client.Do(request); err == nil {
			response.Body.Close()
			check.StatusCode = response.StatusCode
			check.OK = response.StatusCode < http.StatusBadRequest
		}
	}
	check.LatencyMS = time.Since(start).Milliseconds()
	if err != nil {
		check.Reason = reason(err)
		s.log.Warn("a service does not answer", "service", it.ID, "reason", check.Reason, "error", err.Error())
	}
	return check
}

// reason is short, so that it can be shown and counted.
func reason(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "host_not_found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	default:
		return "failed"
	}
}
