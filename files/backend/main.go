// Command backend serves the PulseGrid API.
//
//	backend               migrate the database, then serve
//	backend schedule      migrate the database, then check the services in it again and again
//	backend migrate       migrate the database, and exit 0 when its schema is current
//	backend healthcheck   exit 0 when the server on this machine is healthy, else 1
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"pulsegrid/backend/internal/api"
	"pulsegrid/backend/internal/config"
	"pulsegrid/backend/internal/events"
	"pulsegrid/backend/internal/scheduler"
	"pulsegrid/backend/internal/store"
)

const (
	databaseWait = 60 * time.Second
	drainTimeout = 25 * time.Second // ECS sends SIGKILL 30 s after SIGTERM
)

var version = "dev" // set by the linker

type work func(context.Context, *store.Store, config.Config, *slog.Logger) error

// What is done with a database that has the current schema.
var commands = map[string]work{"": serve, "schedule": schedule, "migrate": nothing}

var errAskedToStop = errors.New("asked to stop before the database schema was current")

func main() {
	os.Exit(run(os.Args[1:]))
}

// run returns the exit code: 0 stopped as asked, 1 failed, 2 called or configured wrongly.
func run(args []string) int {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("version", version)

	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	work, known := commands[command]

	cfg, err := config.Load(os.Getenv)
	switch {
	case len(args) == 1 && command == "healthcheck":
		return healthcheck(cfg.Port)
	case len(args) > 1 || !known:
		fmt.Fprintln(os.Stderr, "usage: backend [schedule | migrate | healthcheck]")
		return 2
	case err != nil:
		log.Error("the configuration is not valid", "problems", config.Problems(err))
		return 2
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err = withDatabase(ctx, cfg, log, work)
	if err != nil && !(errors.Is(err, errAskedToStop) && command != "migrate") {
		log.Error("stopped by an error", "error", err.Error(), "reason", store.Reason(err))
		return 1
	}
	log.Info("stopped")
	return 0
}

// withDatabase works with a database that answers and has the current schema.
func withDatabase(ctx context.Context, cfg config.Config, log *slog.Logger, work work) error {
	db, err := store.Open(ctx, cfg.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.WaitReady(ctx, databaseWait, log); err != nil {
		if ctx.Err() != nil {
			return errAskedToStop
		}
		return fmt.Errorf("the database did not answer within %s: %w", databaseWait, err)
	}
	applied, err := db.Migrate(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return errAskedToStop
		}
		return err
	}
	log.Info("the database schema is current", "applied", applied)
	return work(ctx, db, cfg, log)
}

// nothing is what is left to do for a command that only migrates.
func nothing(context.Context, *store.Store, config.Config, *slog.Logger) error { return nil }

// schedule runs until ctx is done.
func schedule(ctx context.Context, db *store.Store, cfg config.Config, log *slog.Logger) error {
	log.Info("scheduling", "interval_seconds", cfg.CheckInterval.Seconds(), "env", cfg.Env)
	scheduler.New(db, cfg.CheckInterval, cfg.CheckTimeout, log).Run(ctx)
	return nil
}

// serve runs until ctx is done, and then lets the requests in flight finish.
func serve(ctx context.Context, db *store.Store, cfg config.Config, log *slog.Logger) error {
	hub := events.NewHub()
	listening, stopListening := context.WithCancel(ctx)
	listenerDone := make(chan struct{})
	go func() {
		defer close(listenerDone)
		db.Listen(listening, hub.Publish, log)
	}()
	defer func() {
		stopListening()
		<-listenerDone
	}()

	server := &http.Server{
		Handler: api.New(db, hub, api.Options{
			Version: version, Env: cfg.Env, CORSOrigin: cfg.CORSOrigin, Log: log,
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       75 * time.Second, // longer than the load balancer's 60 s, which must be the one to close
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(hub.Close) // an event stream would never drain

	listener, err := net.Listen("tcp", ":"+strconv.Itoa(cfg.Port))
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("serving", "address", listener.Addr().String(), "env", cfg.Env)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping: requests in flight may finish", "timeout_seconds", drainTimeout.Seconds())
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests still in flight were cut off")
		return server.Close()
	} else if err != nil {
		return err
	}
	return nil
}

// healthcheck is for an image that has no shell and no curl.
func healthcheck(port int) int {
	client := http.Client{Timeout: 3 * time.Second}
	response, err := client.Get("http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + "/api/v1/health")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, response.Status)
		return 1
	}
	return 0
}
