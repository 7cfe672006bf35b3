package main

import (
	"context"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// database says in the environment where the database is.
func database(t *testing.T, address *url.URL) {
	t.Helper()
	password, _ := address.User.Password()
	for name, value := range map[string]string{
		"DB_HOST": address.Hostname(), "DB_PORT": address.Port(), "DB_USER": address.User.Username(), "DB_PASSWORD": password,
		"DB_NAME": address.Path[min(1, len(address.Path)):], "DB_SSLMODE": address.Query().Get("sslmode"), "PORT": "",
	} {
		t.Setenv(name, value)
	}
}

// unreachable is a database that never answers.
func unreachable(t *testing.T) {
	t.Helper()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := closed.Addr().(*net.TCPAddr).Port
	closed.Close()
	database(t, &url.URL{Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), User: url.UserPassword("app", "hunter2"), Path: "/app", RawQuery: "sslmode=disable"})
}

func TestWrongCallsAreRefused(t *testing.T) {
	unreachable(t)
	for _, args := range [][]string{{"migrat"}, {"migrate", "now"}, {"healthcheck", "now"}} {
		if code := run(args); code != 2 {
			t.Errorf("%v: exit code %d, want 2", args, code)
		}
	}
	t.Setenv("DB_HOST", "")
	if code := run([]string{"migrate"}); code != 2 {
		t.Errorf("migrate without DB_HOST: exit code %d, want 2", code)
	}
}

// A server that is asked to stop has done as it was asked. A migration has not, and a deploy must not go on.
func TestStoppedBeforeTheDatabaseAnswers(t *testing.T) {
	unreachable(t)
	ignored, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM) // until run listens, the signal would end the test
	defer stop()
	for command, want := range map[string]int{"": 0, "schedule": 0, "migrate": 1} {
		args := []string{command}
		if command == "" {
			args = nil
		}
		go func() {
			time.Sleep(300 * time.Millisecond)
			syscall.Kill(os.Getpid(), syscall.SIGTERM) //nolint:errcheck
		}()
		if code := run(args); code != want {
			t.Errorf("%q: exit code %d, want %d", command, code, want)
		}
	}
	<-ignored.Done()
}

func TestMigrate(t *testing.T) {
	address, err := url.Parse(os.Getenv("TEST_DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	if address.Host == "" {
		t.Skip("TEST_DATABASE_URL is not set")
	}
	database(t, address)
	for range 2 {
		if code := run([]string{"migrate"}); code != 0 {
			t.Fatalf("exit code %d, want 0", code)
		}
	}
}
