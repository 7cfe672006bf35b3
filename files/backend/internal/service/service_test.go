package service

import (
	"maps"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	yes := true
	good := Input{Name: "Billing", URL: "https://billing.example.com/health?deep=1", Enabled: &yes}
	with := func(change func(*Input)) Input {
		in := good
		change(&in)
		return in
	}
	for name, test := range map[string]struct {
		in   Input
		want map[string]string
	}{
		"good":                          {good, map[string]string{}},
		"100 characters, not 100 bytes": {with(func(in *Input) { in.Name = strings.Repeat("é", 100) }), map[string]string{}},
		"everything is missing":         {Input{}, map[string]string{"name": "is required", "url": "is required", "enabled": "is required"}},
		"long name":                     {with(func(in *Input) { in.Name = strings.Repeat("é", 101) }), map[string]string{"name": "must have at most 100 characters"}},
		"name with a zero byte":         {with(func(in *Input) { in.Name = "a\x00b" }), map[string]string{"name": "must not contain control characters"}},
		"long url":                      {with(func(in *Input) { in.URL = "https://a/" + strings.Repeat("b", 2048) }), map[string]string{"url": "must have at most 2048 bytes"}},
		"script url":                    {with(func(in *Input) { in.URL = "javascript:alert(1)" }), map[string]string{"url": "must be an absolute http or https URL"}},
		"relative url":                  {with(func(in *Input) { in.URL = "//example.com" }), map[string]string{"url": "must be an absolute http or https URL"}},
		"url without a host":            {with(func(in *Input) { in.URL = "http://:80/" }), map[string]string{"url": "must be an absolute http or https URL"}},
		"url with a space":              {with(func(in *Input) { in.URL = "http://example.com/a b" }), map[string]string{"url": "must be an absolute http or https URL"}},
		"url with a password":           {with(func(in *Input) { in.URL = "https://me:secret@example.com" }), map[string]string{"url": "must not contain credentials"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.in.Validate(); !maps.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestNormalize(t *testing.T) {
	in := Input{Name: " Billing\n", URL: "\thttps://example.com "}
	if got := in.Normalize(true); got.Name != "Billing" || got.URL != "https://example.com" || got.Enabled == nil || !*got.Enabled {
		t.Errorf("a new service: got %+v", got)
	}
	if got := in.Normalize(false); got.Enabled != nil {
		t.Errorf("a replacement must say whether it is enabled: got %v", *got.Enabled)
	}
}
