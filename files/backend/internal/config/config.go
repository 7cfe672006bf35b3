// Package config reads the configuration from environment variables.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Config is the whole configuration of the server and the scheduler.
type Config struct {
	Port          int
	Env           string
	CORSOrigin    string        // empty: no other origin may call the API
	CheckInterval time.Duration // from one round of the scheduler to the next
	CheckTimeout  time.Duration // how long a service has to answer
	Database      Database
}

// Database says how PostgreSQL is reached.
type Database struct {
	Host     string
	Port     int
	User     string
	Name     string
	Password string
	SSLMode  string
}

// Load reads all variables and reports every problem at once. The error never contains a secret.
func Load(getenv func(string) string) (Config, error) {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	text := func(name, fallback string) string {
		if value := getenv(name); value != "" {
			return value
		}
		if fallback == "" {
			problem("%s is required", name)
		}
		return fallback
	}
	port := func(name string, fallback int) int {
		value := getenv(name)
		if value == "" {
			return fallback
		}
		number, err := strconv.Atoi(value)
		if err != nil || number < 1 || number > 65535 {
			problem("%s is %q: allowed are 1 to 65535", name, value)
			return fallback
		}
		return number
	}

	seconds := func(name string, fallback, most int) time.Duration {
		value := getenv(name)
		if value == "" {
			return time.Duration(fallback) * time.Second
		}
		number, err := strconv.Atoi(value)
		if err != nil || number < 1 || number > most {
			problem("%s is %q: allowed are 1 to %d seconds", name, value, most)
		}
		return time.Duration(number) * time.Second
	}

	cfg := Config{
		Port:          port("PORT", 8080),
		Env:           text("ENV", "development"),
		CORSOrigin:    getenv("CORS_ORIGIN"),
		CheckInterval: seconds("HEALTH_CHECK_INTERVAL", 60, 86400),
		CheckTimeout:  seconds("DEFAULT_TIMEOUT", 10, 300),
		Database: Database{
			Host:     text("DB_HOST", ""),
			Port:     port("DB_PORT", 5432),
			User:     text("DB_USER", ""),
			Name:     text("DB_NAME", ""),
			Password: text("DB_PASSWORD", ""),
			SSLMode:  text("DB_SSLMODE", "require"),
		},
	}
	switch cfg.Database.SSLMode {
	case "disable", "require", "verify-ca", "verify-full":
	default: // allow and prefer would fall back to plain text unnoticed
		problem("DB_SSLMODE is %q: allowed are disable, require, verify-ca, verify-full", cfg.Database.SSLMode)
	}
	if cfg.CORSOrigin != "" && !isOrigin(cfg.CORSOrigin) {
		problem("CORS_ORIGIN is %q: allowed is an origin as a browser sends it, like https://app.example.com", cfg.CORSOrigin)
	}
	return cfg, errors.Join(problems...)
}

// Problems lists what Load found wrong.
func Problems(err error) []string {
	return strings.Split(err.Error(), "\n")
}

// URL is the connection URL, with every part escaped. It holds the password.
func (d Database) URL() string {
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(d.User, d.Password),
		Host:     net.JoinHostPort(d.Host, strconv.Itoa(d.Port)),
		Path:     "/" + d.Name,
		RawQuery: url.Values{"sslmode": {d.SSLMode}, "application_name": {"pulsegrid-backend"}}.Encode(),
	}).String()
}

func isOrigin(value string) bool {
	parsed, err := url.Parse(value)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "" && value == parsed.Scheme+"://"+parsed.Host
}
