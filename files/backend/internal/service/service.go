// Package service holds what a monitored service is, and which input makes one.
package service

import (
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What a store answers instead of a service.
var (
	ErrNotFound    = errors.New("no such service")
	ErrNameTaken   = errors.New("the name is taken")
	ErrUnavailable = errors.New("the database is unavailable")
)

// Service is a monitored service.
type Service struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	URL       string    `json:"url"`
	Enabled   bool      `json:"enabled"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Check is what the scheduler found when it last asked a service.
type Check struct {
	ServiceID  int64     `json:"service_id"`
	OK         bool      `json:"ok"`
	StatusCode int       `json:"status_code"` // 0: no answer
	LatencyMS  int64     `json:"latency_ms"`
	Reason     string    `json:"reason"` // why there was no answer
	CheckedAt  time.Time `json:"checked_at"`
}

// Input is what a client says about a service. Other fields, as in a service read before, are ignored.
type Input struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Enabled *bool  `json:"enabled"`
}

const (
	maxName = 100
	maxURL  = 2048
)

// Normalize trims what a person typed, and completes a new service.
func (in Input) Normalize(isNew bool) Input {
	in.Name = strings.TrimSpace(in.Name)
	in.URL = strings.TrimSpace(in.URL)
	if in.Enabled == nil && isNew {
		enabled := true
		in.Enabled = &enabled
	}
	return in
}

// Validate says by field what is wrong; nothing, when the input is good.
func (in Input) Validate() map[string]string {
	problems := map[string]string{}
	switch {
	case in.Name == "":
		problems["name"] = "is required"
	case utf8.RuneCountInString(in.Name) > maxName:
		problems["name"] = "must have at most 100 characters"
	case strings.ContainsFunc(in.Name, unicode.IsControl):
		problems["name"] = "must not contain control characters"
	}
	switch parsed, err := url.Parse(in.URL); {
	case in.URL == "":
		problems["url"] = "is required"
	case len(in.URL) > maxURL:
		problems["url"] = "must have at most 2048 bytes"
	case err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Hostname() == "" || strings.ContainsAny(in.URL, " \\"):
		problems["url"] = "must be an absolute http or https URL"
	case parsed.User != nil:
		problems["url"] = "must not contain credentials"
	}
	if in.Enabled == nil {
		problems["enabled"] = "is required"
	}
	return problems
}
