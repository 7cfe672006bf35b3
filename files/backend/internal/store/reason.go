package store

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

const unknown = "unknown"

// Reason says in one word why the database is out of reach. The word is fit for the public: it names no host, no user.
func Reason(err error) string {
	var fromServer *pgconn.PgError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var handshake tls.RecordHeaderError
	var network net.Error
	switch {
	case errors.As(err, &fromServer):
		switch {
		case strings.HasPrefix(fromServer.Code, "28"):
			return "authentication_failed"
		case fromServer.Code == "3D000":
			return "database_missing"
		case fromServer.Code == "53300":
			return "too_many_connections"
		case strings.HasPrefix(fromServer.Code, "57P"):
			return "starting_or_stopping"
		}
	case errors.As(err, &certificate), errors.As(err, &handshake), err != nil && strings.Contains(err.Error(), "server refused TLS connection"):
		return "tls_failed"
	case errors.As(err, &dns):
		return "host_not_found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return "timeout"
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "connection_lost"
	}
	return unknown
}
