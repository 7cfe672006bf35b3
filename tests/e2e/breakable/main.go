// An API that fails in the way that BREAK says, so that a test sees what a deploy makes of it. It needs no package that takes long to compile.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var version = "dev"

func main() {
	switch strings.Join(os.Args[1:], " ") {
	case "healthcheck":
		return
	case "migrate":
		fmt.Println("migrating: 1 of 2 applied")
		time.Sleep(time.Second)
		if os.Getenv("BREAK") == "migration" {
			fmt.Println("migrating: 2 of 2 refused: relation \"services\" already exists")
			os.Exit(3)
		}
		fmt.Println("migrating: 2 of 2 applied")
		return
	}
	kind, value, _ := strings.Cut(os.Getenv("BREAK"), ":")
	number, _ := strconv.Atoi(value)
	port, status := os.Getenv("PORT"), "200 OK"
	switch kind {
	case "exit":
		fmt.Printf("configuration refused: leaving with %d\n", number)
		os.Exit(number)
	case "late":
		time.AfterFunc(time.Duration(number)*time.Second, func() {
			fmt.Println("the connection pool is exhausted")
			os.Exit(4)
		})
	case "memory":
		fmt.Println("loading everything into memory")
		var kept [][]byte
		for len(kept) < 100 { // a machine without a limit for containers must survive it
			block := make([]byte, 16<<20)
			for at := 0; at < len(block); at += 4096 {
				block[at] = 1
			}
			kept = append(kept, block)
		}
		os.Exit(9)
	case "status":
		status = value + " Broken"
	case "port":
		port = value
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		time.Sleep(time.Second) // whoever is being answered gets the answer
		os.Exit(0)
	}()
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("listening on " + port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			continue
		}
		go answer(connection, status)
	}
}

func answer(connection net.Conn, status string) {
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	reader := bufio.NewReader(connection)
	request := ""
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		if request == "" {
			request = line
		}
		if line == "\r\n" {
			break
		}
	}
	if strings.HasPrefix(request, "GET /api/v1/smoke ") && os.Getenv("BREAK") == "smoke" {
		status = "503 Broken"
	}
	secret := os.Getenv("DB_PASSWORD")
	body := fmt.Sprintf(`{"version":"%s","release":"%s","secret":%d}`, version, os.Getenv("RELEASE"), len(secret))
	fmt.Fprintf(connection, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(body), body)
}
