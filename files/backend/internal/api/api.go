// Package api answers HTTP requests.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulsegrid/backend/internal/events"
	"pulsegrid/backend/internal/service"
	"pulsegrid/backend/internal/store"
)

const (
	maxBody      = 16 << 10
	queryTimeout = 10 * time.Second
	pingTimeout  = 2 * time.Second
)

// Store is what the API needs of a database.
type Store interface {
	Ping(ctx context.Context) error
	List(ctx context.Context) ([]service.Service, error)
	Get(ctx context.Context, id int64) (service.Service, error)
	Create(ctx context.Context, in service.Input) (service.Service, error)
	Update(ctx context.Context, id int64, in service.Input) (service.Service, error)
	Delete(ctx context.Context, id int64) error
	Checks(ctx context.Context) ([]service.Check, error)
}

// Options are what the API shows of itself, whom it lets in, and where it logs.
type Options struct {
	Version    string
	Env        string
	CORSOrigin string
	Log        *slog.Logger
}

type server struct {
	Options
	store     Store
	hub       *events.Hub
	metrics   *metrics
	heartbeat time.Duration
}

// New returns the handler of all routes.
func New(store Store, hub *events.Hub, options Options) http.Handler {
	s := &server{Options: options, store: store, hub: hub, metrics: newMetrics(), heartbeat: 15 * time.Second}
	return s.handler()
}

func (s *server) handler() http.Handler {
	type methods map[string]http.HandlerFunc
	mux := http.NewServeMux()
	for path, methods := range map[string]methods{
		"/api/v1/health":          {http.MethodGet: s.health},
		"/api/v1/health/detailed": {http.MethodGet: s.healthDetailed},
		"/api/v1/metrics":         {http.MethodGet: s.writeMetrics},
		"/api/v1/events":          {http.MethodGet: s.events},
		"/api/v1/checks":          {http.MethodGet: s.checks},
		"/api/v1/services":        {http.MethodGet: s.list, http.MethodPost: s.create},
		"/api/v1/services/{id}":   {http.MethodGet: s.withID(s.get), http.MethodPut: s.withID(s.update), http.MethodDelete: s.withID(s.delete)},
	} {
		for method, handler := range methods {
			mux.HandleFunc(method+" "+path, handler)
		}
		allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			writeError(w, http.StatusMethodNotAllowed, "method_not_allowed", "Allowed here: "+allow, nil)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "not_found", "There is nothing at this address", nil)
	})
	return s.observe(s.cors(mux))
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "version": s.Version, "env": s.Env})
}

func (s *server) healthDetailed(w http.ResponseWriter, r *http.Request) {
	type database struct {
		Status    string  `json:"status"`
		LatencyMS float64 `json:"latency_ms"`
		Reason    string  `json:"reason,omitempty"`
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	start := time.Now()
	err := s.store.Ping(ctx)
	db := database{Status: "ok", LatencyMS: float64(time.Since(start).Microseconds()) / 1000}
	code, status := http.StatusOK, "ok"
	if err != nil {
		code, status = http.StatusServiceUnavailable, "unavailable"
		db.Status, db.Reason = "down", store.Reason(err)
		logger(r).Error("the database does not answer", "reason", db.Reason, "error", err.Error())
	}
	writeJSON(w, code, map[string]any{"status": status, "version": s.Version, "env": s.Env, "database": db})
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	services, err := s.store.List(ctx)
	if err != nil {
		fail(w, r, err)
		return
	}
	if services == nil {
		services = []service.Service{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"services": services})
}

// checks are what the scheduler found; none where it does not run.
func (s *server) checks(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	checks, err := s.store.Checks(ctx)
	if err != nil {
		fail(w, r, err)
		return
	}
	if checks == nil {
		checks = []service.Check{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"checks": checks})
}

func (s *server) create(w http.ResponseWriter, r *http.Request) {
	in, ok := readInput(w, r, true)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	created, err := s.store.Create(ctx, in)
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Location", "/api/v1/services/"+strconv.FormatInt(created.ID, 10))
	writeJSON(w, http.StatusCreated, created)
}

func (s *server) get(w http.ResponseWriter, r *http.Request, id int64) {
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	found, err := s.store.Get(ctx, id)
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, found)
}

func (s *server) update(w http.ResponseWriter, r *http.Request, id int64) {
	in, ok := readInput(w, r, false)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	updated, err := s.store.Update(ctx, id, in)
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, updated)
}

func (s *server) delete(w http.ResponseWriter, r *http.Request, id int64) {
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	if err := s.store.Delete(ctx, id); err != nil {
		fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// withID answers 404 itself for an id that no service can have.
func (s *server) withID(next func(http.ResponseWriter, *http.Request, int64)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil || id < 1 {
			fail(w, r, service.ErrNotFound)
			return
		}
		next(w, r, id)
	}
}

// readInput reads and checks the body; when it is no good, it has answered.
func readInput(w http.ResponseWriter, r *http.Request, isNew bool) (in service.Input, ok bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		writeError(w, http.StatusUnsupportedMediaType, "unsupported_media_type", "The Content-Type must be application/json", nil)
		return in, false
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	err := decoder.Decode(&in)
	if err == nil && decoder.More() {
		err = errors.New("more than one JSON value")
	}
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		writeError(w, http.StatusRequestEntityTooLarge, "body_too_large", "The body may have at most 16 KiB", nil)
		return in, false
	case errors.As(err, &wrongType) && wrongType.Field != "":
		writeInvalid(w, map[string]string{wrongType.Field: "must not be a " + wrongType.Value})
		return in, false
	case err != nil:
		writeError(w, http.StatusBadRequest, "malformed_json", "The body must be one JSON object", nil)
		return in, false
	}
	in = in.Normalize(isNew)
	if problems := in.Validate(); len(problems) > 0 {
		writeInvalid(w, problems)
		return in, false
	}
	return in, true
}

func fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, service.ErrNotFound):
		writeError(w, http.StatusNotFound, "not_found", "There is no such service", nil)
	case errors.Is(err, service.ErrNameTaken):
		writeInvalid(w, map[string]string{"name": "is already taken"})
	case r.Context().Err() != nil: // the client has gone; this status is for the log alone
		w.WriteHeader(statusClientClosedRequest)
	case errors.Is(err, service.ErrUnavailable):
		logger(r).Error("the database does not answer", "reason", store.Reason(err), "error", err.Error())
		writeError(w, http.StatusServiceUnavailable, "unavailable", "The database is unavailable", nil)
	default:
		logger(r).Error("the request failed", "error", err.Error())
		writeError(w, http.StatusInternalServerError, "internal_error", "Something went wrong", nil)
	}
}

func writeInvalid(w http.ResponseWriter, problems map[string]string) {
	writeError(w, http.StatusUnprocessableEntity, "validation_failed", "The service is not valid", problems)
}

func writeError(w http.ResponseWriter, code int, kind, message string, fields map[string]string) {
	writeJSON(w, code, struct {
		Error   string            `json:"error"`
		Message string            `json:"message"`
		Fields  map[string]string `json:"fields,omitempty"`
	}{kind, message, fields})
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client has gone: nobody is left to tell
}
