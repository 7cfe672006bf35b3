package config

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

func environment(changes map[string]string) func(string) string {
	values := map[string]string{"DB_HOST": "db.internal", "DB_USER": "app", "DB_NAME": "pulsegrid", "DB_PASSWORD": "secret"}
	for name, value := range changes {
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

func TestDefaults(t *testing.T) {
	cfg, err := Load(environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Port: 8080, Env: "development", CheckInterval: time.Minute, CheckTimeout: 10 * time.Second, Database: Database{
		Host: "db.internal", Port: 5432, User: "app", Name: "pulsegrid", Password: "secret", SSLMode: "require",
	}}
	if cfg != want {
		t.Errorf("got %+v, want %+v", cfg, want)
	}
}

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"no host":             {map[string]string{"DB_HOST": ""}, "DB_HOST is required"},
		"no password":         {map[string]string{"DB_PASSWORD": ""}, "DB_PASSWORD is required"},
		"port is a word":      {map[string]string{"PORT": "http"}, `PORT is "http": allowed are 1 to 65535`},
		"port is too high":    {map[string]string{"DB_PORT": "65536"}, `DB_PORT is "65536": allowed are 1 to 65535`},
		"never checked":       {map[string]string{"HEALTH_CHECK_INTERVAL": "0"}, `HEALTH_CHECK_INTERVAL is "0": allowed are 1 to 86400 seconds`},
		"timeout with a unit": {map[string]string{"DEFAULT_TIMEOUT": "5s"}, `DEFAULT_TIMEOUT is "5s"`},
		"silent plain text":   {map[string]string{"DB_SSLMODE": "prefer"}, `DB_SSLMODE is "prefer"`},
		"origin with a path":  {map[string]string{"CORS_ORIGIN": "https://app.example.com/"}, "CORS_ORIGIN is"},
		"origin is a pattern": {map[string]string{"CORS_ORIGIN": "*"}, "CORS_ORIGIN is"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(environment(test.changes))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if problems := Problems(err); len(problems) != 1 {
				t.Errorf("got %q, want one problem", problems)
			}
		})
	}
}

func TestEveryProblemIsReportedAtOnceWithoutTheSecret(t *testing.T) {
	_, err := Load(environment(map[string]string{"PORT": "0", "DB_HOST": "", "DB_SSLMODE": "off"}))
	if err == nil || len(Problems(err)) != 3 {
		t.Fatalf("got %v, want three problems", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("%v shows the password", err)
	}
}

func TestURLKeepsEveryCharacter(t *testing.T) {
	var password strings.Builder
	for character := '!'; character <= '~'; character++ {
		password.WriteRune(character)
	}
	for _, host := range []string{"db.example.com", "10.0.0.1", "fd00::1"} {
		database := Database{Host: host, Port: 6543, User: "app@team:x/y", Name: "pulse?grid#1", Password: password.String(), SSLMode: "verify-full"}
		parsed, err := pgxpool.ParseConfig(database.URL())
		if err != nil {
			t.Fatal(err)
		}
		got := parsed.ConnConfig
		if got.Host != host || got.Port != 6543 || got.User != database.User || got.Database != database.Name || got.Password != database.Password {
			t.Errorf("%s: got host %q port %d user %q database %q password %q", host, got.Host, got.Port, got.User, got.Database, got.Password)
		}
		if got.TLSConfig == nil || got.TLSConfig.ServerName != host || len(got.Fallbacks) > 0 {
			t.Errorf("%s: TLS is not what verify-full says: %+v, %d fallbacks", host, got.TLSConfig, len(got.Fallbacks))
		}
	}
}
