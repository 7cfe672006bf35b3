// An S3 endpoint in memory that is faster than its clients: emulators serve some 300 PUT/s and hide every difference between them.
//
// It keeps versions, checks what clients say of their content (Content-MD5, checksums, length), never who they are, and answers each request after a given
// delay. /_bench tells and forgets: GET says what was asked since the last DELETE, PUT with ?delay=milliseconds sets the delay,
// PUT with ?from=bucket&to=bucket copies a bucket, GET with ?bucket=bucket has its ETags by key.
package main

import (
	"bufio"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	versionsKept = 5
	timeFormat   = "2006-01-02T15:04:05.000Z"
)

type version struct {
	id       string
	content  []byte
	etag     string
	headers  http.Header
	modified time.Time
}

type endpoint struct {
	lock     sync.RWMutex
	buckets  map[string]map[string][]*version // the newest version first
	requests map[string]int
	delay    atomic.Int64
	versions atomic.Int64
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() { // it ends with the process that started it
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	here := &endpoint{buckets: map[string]map[string][]*version{}, requests: map[string]int{}}
	log.Fatal(http.Serve(listener, here))
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_bench" {
		e.control(w, r)
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	body, err := content(r)
	e.count(operation(r.Method, key, query))
	if delay := e.delay.Load(); delay > 0 {
		time.Sleep(time.Duration(delay) * time.Millisecond)
	}
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "BadDigest", err.Error())
	case bucket == "":
		e.list(w)
	case key == "":
		e.bucket(w, r, bucket, query, body)
	default:
		e.object(w, r, bucket, key, query, body)
	}
}

func (e *endpoint) count(operation string) {
	e.lock.Lock()
	e.requests[operation]++
	e.lock.Unlock()
}

func operation(method, key string, query url.Values) string {
	if key == "" {
		if query.Has("delete") {
			return "DELETE objects"
		}
		return method + " bucket"
	}
	return method + " object"
}

func (e *endpoint) control(w http.ResponseWriter, r *http.Request) {
	e.lock.Lock()
	defer e.lock.Unlock()
	switch r.Method {
	case http.MethodDelete:
		e.requests = map[string]int{}
	case http.MethodPut:
		if delay, err := strconv.ParseInt(r.URL.Query().Get("delay"), 10, 64); err == nil {
			e.delay.Store(delay)
		}
		if to := r.URL.Query().Get("to"); to != "" {
			e.buckets[to] = map[string][]*version{}
			for key, versions := range e.buckets[r.URL.Query().Get("from")] {
				e.buckets[to][key] = versions
			}
		}
	case http.MethodGet:
		if bucket := r.URL.Query().Get("bucket"); bucket != "" {
			etags := map[string]string{}
			for key, versions := range e.buckets[bucket] {
				etags[key] = strings.Trim(versions[0].etag, "\"")
			}
			_ = json.NewEncoder(w).Encode(etags)
			return
		}
	}
	_ = json.NewEncoder(w).Encode(e.requests)
}

// content is the body as it was before a client cut it into signed chunks, held against each digest that came with it.
func content(r *http.Request) ([]byte, error) {
	var body []byte
	var err error
	claims := r.Header
	if strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") || strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		body, claims, err = unchunked(r)
		r.Header.Del("Content-Encoding")
	} else if r.ContentLength > 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(r.Body)
	}
	if err != nil {
		return nil, err
	}
	for name, digest := range map[string]func() hash.Hash{
		"Content-Md5":              md5.New,
		"X-Amz-Checksum-Crc32":     func() hash.Hash { return crc32.NewIEEE() },
		"X-Amz-Checksum-Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
		"X-Amz-Checksum-Crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
		"X-Amz-Checksum-Sha1":      sha1.New,
		"X-Amz-Checksum-Sha256":    sha256.New,
	} {
		if claim := claims.Get(name); claim != "" {
			sum := digest()
			_, _ = sum.Write(body)
			if found := base64.StdEncoding.EncodeToString(sum.Sum(nil)); found != claim {
				return nil, fmt.Errorf("%s is %s, not %s", name, found, claim)
			}
		}
	}
	if claim := r.Header.Get("X-Amz-Content-Sha256"); len(claim) == 64 {
		if found := sha256.Sum256(body); hex.EncodeToString(found[:]) != claim {
			return nil, fmt.Errorf("the content's SHA-256 is %x", found)
		}
	}
	return body, nil
}

func unchunked(r *http.Request) ([]byte, http.Header, error) {
	var body []byte
	claims := r.Header.Clone()
	reader := bufio.NewReader(r.Body)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return nil, nil, err
		}
		hexadecimal, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		size, err := strconv.ParseInt(hexadecimal, 16, 64)
		if err != nil {
			return nil, nil, err
		}
		if size == 0 {
			break
		}
		chunk := make([]byte, size+2)
		if _, err := io.ReadFull(reader, chunk); err != nil {
			return nil, nil, err
		}
		body = append(body, chunk[:size]...)
	}
	for {
		line, err := reader.ReadString('\n')
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			claims.Set(name, strings.TrimSpace(value))
		}
		if err != nil {
			return body, claims, nil
		}
	}
}

func (e *endpoint) list(w http.ResponseWriter) {
	e.lock.RLock()
	defer e.lock.RUnlock()
	type one struct{ Name, CreationDate string }
	answer := struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Buckets struct{ Bucket []one }
	}{}
	for name := range e.buckets {
		answer.Buckets.Bucket = append(answer.Buckets.Bucket, one{name, time.Now().UTC().Format(timeFormat)})
	}
	write(w, answer)
}

func (e *endpoint) bucket(w http.ResponseWriter, r *http.Request, bucket string, query url.Values, body []byte) {
	e.lock.Lock()
	defer e.lock.Unlock()
	objects, found := e.buckets[bucket]
	switch {
	case r.Method == http.MethodPut:
		if !found {
			e.buckets[bucket] = map[string][]*version{}
		}
	case !found:
		refuse(w, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case r.Method == http.MethodHead:
		w.Header().Set("X-Amz-Bucket-Region", "us-east-1")
	case r.Method == http.MethodDelete:
		delete(e.buckets, bucket)
		w.WriteHeader(http.StatusNoContent)
	case query.Has("delete"):
		e.deleteObjects(w, objects, body)
	case query.Has("location"):
		write(w, struct {
			XMLName xml.Name `xml:"LocationConstraint"`
		}{})
	case query.Has("versioning"):
		write(w, struct {
			XMLName xml.Name `xml:"VersioningConfiguration"`
			Status  string
		}{Status: "Enabled"})
	case query.Has("versions") || query.Has("uploads"):
		refuse(w, http.StatusNotImplemented, "NotImplemented", r.URL.RawQuery)
	default:
		page(w, bucket, objects, query)
	}
}

func (e *endpoint) deleteObjects(w http.ResponseWriter, objects map[string][]*version, body []byte) {
	var asked struct {
		Object []struct{ Key string }
	}
	if err := xml.Unmarshal(body, &asked); err != nil {
		refuse(w, http.StatusBadRequest, "MalformedXML", err.Error())
		return
	}
	for _, object := range asked.Object {
		delete(objects, object.Key)
	}
	write(w, struct {
		XMLName xml.Name `xml:"DeleteResult"`
	}{})
}

type listed struct {
	Key, LastModified, ETag string
	Size                    int
	StorageClass            string
}

// page answers ListObjects and ListObjectsV2; a token is the last key of the page before.
func page(w http.ResponseWriter, bucket string, objects map[string][]*version, query url.Values) {
	after := query.Get("continuation-token") + query.Get("marker")
	if start := query.Get("start-after"); after == "" {
		after = start
	}
	limit := 1000
	if asked, err := strconv.Atoi(query.Get("max-keys")); err == nil && asked < limit {
		limit = asked
	}
	prefix, delimiter := query.Get("prefix"), query.Get("delimiter")
	keys := make([]string, 0, len(objects))
	for key := range objects {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	name := func(key string) string { return key }
	if query.Get("encoding-type") == "url" {
		name = func(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }
	}
	type common struct{ Prefix string }
	answer := struct {
		XMLName                                                     xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
		Name, Prefix, Delimiter                                     string
		EncodingType, NextContinuationToken, NextMarker, StartAfter string `xml:",omitempty"`
		MaxKeys, KeyCount                                           int
		IsTruncated                                                 bool
		Contents                                                    []listed
		CommonPrefixes                                              []common
	}{Name: bucket, Prefix: name(prefix), Delimiter: delimiter, EncodingType: query.Get("encoding-type"), MaxKeys: limit}
	last := ""
	for _, key := range keys {
		if delimiter != "" {
			if position := strings.Index(key[len(prefix):], delimiter); position >= 0 {
				group := key[:len(prefix)+position+len(delimiter)]
				if group == after || strings.HasPrefix(key, last) && last != "" && strings.HasSuffix(last, delimiter) {
					continue
				}
				if answer.KeyCount == limit {
					answer.IsTruncated = true
					break
				}
				answer.CommonPrefixes = append(answer.CommonPrefixes, common{name(group)})
				answer.KeyCount++
				last = group
				continue
			}
		}
		if answer.KeyCount == limit {
			answer.IsTruncated = true
			break
		}
		newest := objects[key][0]
		answer.Contents = append(answer.Contents, listed{name(key), newest.modified.Format(timeFormat), newest.etag, len(newest.content), "STANDARD"})
		answer.KeyCount++
		last = key
	}
	if answer.IsTruncated {
		answer.NextContinuationToken, answer.NextMarker = last, name(last)
	}
	write(w, answer)
}

func (e *endpoint) object(w http.ResponseWriter, r *http.Request, bucket, key string, query url.Values, body []byte) {
	switch r.Method {
	case http.MethodPut:
		e.put(w, r, bucket, key, body)
	case http.MethodDelete:
		e.lock.Lock()
		delete(e.buckets[bucket], key)
		e.lock.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case http.MethodGet, http.MethodHead:
		found := e.find(bucket, key, query.Get("versionId"))
		if found == nil {
			refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
			return
		}
		for name, values := range found.headers {
			w.Header()[name] = values
		}
		w.Header().Set("ETag", found.etag)
		w.Header().Set("Last-Modified", found.modified.Format(http.TimeFormat))
		w.Header().Set("X-Amz-Version-Id", found.id)
		w.Header().Set("Content-Length", strconv.Itoa(len(found.content)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(found.content)
		}
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented", r.Method+" "+r.URL.RawQuery)
	}
}

func (e *endpoint) find(bucket, key, id string) *version {
	e.lock.RLock()
	defer e.lock.RUnlock()
	for _, one := range e.buckets[bucket][key] {
		if id == "" || one.id == id {
			return one
		}
	}
	return nil
}

func (e *endpoint) put(w http.ResponseWriter, r *http.Request, bucket, key string, body []byte) {
	if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
		path, _ := url.PathUnescape(strings.TrimPrefix(source, "/"))
		path, id, _ := strings.Cut(path, "?versionId=")
		from, name, _ := strings.Cut(path, "/")
		original := e.find(from, name, id)
		if original == nil {
			refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
			return
		}
		body = original.content
	}
	sum := md5.Sum(body)
	made := &version{content: body, etag: `"` + hex.EncodeToString(sum[:]) + `"`, headers: http.Header{}, modified: time.Now().UTC()}
	made.id = fmt.Sprintf("v%015d", e.versions.Add(1))
	for name, values := range r.Header {
		switch name {
		case "Content-Type", "Cache-Control", "Content-Encoding", "Content-Disposition":
			made.headers[name] = values
		default:
			if strings.HasPrefix(name, "X-Amz-Meta-") {
				made.headers[name] = values
			}
		}
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	objects, found := e.buckets[bucket]
	if !found {
		refuse(w, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
		return
	}
	there := objects[key]
	if expected := r.Header.Get("If-Match"); expected != "" && (len(there) == 0 || there[0].etag != expected) ||
		r.Header.Get("If-None-Match") == "*" && len(there) > 0 {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
		return
	}
	if len(there) >= versionsKept {
		there = there[:versionsKept-1]
	}
	objects[key] = append([]*version{made}, there...)
	w.Header().Set("ETag", made.etag)
	w.Header().Set("X-Amz-Version-Id", made.id)
	if r.Header.Get("X-Amz-Copy-Source") != "" {
		write(w, struct {
			XMLName            xml.Name `xml:"CopyObjectResult"`
			ETag, LastModified string
		}{ETag: made.etag, LastModified: made.modified.Format(timeFormat)})
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}{Code: code, Message: message})
}

func write(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/xml")
	_, _ = io.WriteString(w, xml.Header)
	_ = xml.NewEncoder(w).Encode(answer)
}
