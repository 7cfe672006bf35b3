package api

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"
)

const statusClientClosedRequest = 499

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

type loggerKey struct{}

// logger returns the logger that knows the request's id.
func logger(r *http.Request) *slog.Logger {
	return r.Context().Value(loggerKey{}).(*slog.Logger)
}

// recorder remembers the status of the response.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(body []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(body)
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// observe gives the request an id, logs and counts it, and answers 500 when it panicked.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := r.Header.Get("X-Request-Id")
		if !requestID.MatchString(id) {
			id = rand.Text()
		}
		log := s.Log.With("request_id", id)
		r = r.WithContext(context.WithValue(r.Context(), loggerKey{}, log))
		w := &recorder{ResponseWriter: rw}
		w.Header().Set("X-Request-Id", id)

		s.metrics.begin()
		defer func() {
			if reason := recover(); reason != nil {
				log.Error("panic", "reason", reason, "stack", string(debug.Stack()))
				if w.status == 0 {
					writeError(w, http.StatusInternalServerError, "internal_error", "Something went wrong", nil)
				}
			}
			if w.status == 0 { // net/http answers so for a handler that wrote nothing
				w.status = http.StatusOK
			}
			s.metrics.end(w.status)
			if r.URL.Path == "/api/v1/health" && w.status == http.StatusOK {
				return // load balancer and container ask every few seconds
			}
			log.Info("request", "method", r.Method, "path", r.URL.Path, "status", w.status,
				"duration_ms", float64(time.Since(start).Microseconds())/1000)
		}()
		next.ServeHTTP(w, r)
	})
}

// cors lets the one configured origin in.
func (s *server) cors(next http.Handler) http.Handler {
	if s.CORSOrigin == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Header.Get("Origin") != s.CORSOrigin {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", s.CORSOrigin)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
			w.Header().Set("Access-Control-Allow-Headers", "Content-Type, X-Request-Id")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
