import { vi } from 'vitest'
import type { Service } from '../api'

/** The API in memory, with the answers of the real one. */
export class FakeApi {
  services: Service[] = []
  down = false

  add(name: string, enabled = true): Service {
    const at = '2026-01-02T03:04:05Z'
    const service = { id: this.services.length + 1, name, url: `https://${name.toLowerCase()}.example.com/`, enabled, created_at: at, updated_at: at }
    this.services.push(service)
    return service
  }

  fetch = vi.fn(async (address: string, init: RequestInit): Promise<Response> => {
    if (this.down) return new Response('<h1>502 Bad Gateway</h1>', { status: 502, headers: { 'Content-Type': 'text/html' } })
    const path = address.replace('/api/v1', '')
    const id = Number(/^\/services\/(\d+)$/.exec(path)?.[1])
    const found = this.services.find((service) => service.id === id)
    if (path === '/health') return Response.json({ status: 'ok', version: '1.2.3', env: 'test' })
    if (path === '/services' && init.method === 'GET') return Response.json({ services: this.services })
    if (path === '/services' || init.method === 'PUT') {
      const input = JSON.parse(String(init.body))
      if (!input.url) return Response.json({ message: 'The service is not valid', fields: { url: 'is required' } }, { status: 422 })
      if (path === '/services') return Response.json(Object.assign(this.add(input.name), input), { status: 201 })
      if (found) return Response.json(Object.assign(found, input))
    }
    if (!found) return Response.json({ message: 'There is no such service' }, { status: 404 })
    if (init.method === 'GET') return Response.json(found)
    this.services = this.services.filter((service) => service !== found)
    return new Response(null, { status: 204 })
  })
}

export class FakeEventSource extends EventTarget {
  static readonly CLOSED = 2
  static all: FakeEventSource[] = []
  readyState = 1
  onopen?: () => void
  onerror?: () => void

  constructor(readonly url: string) {
    super()
    FakeEventSource.all.push(this)
  }

  close() {
    this.readyState = FakeEventSource.CLOSED
  }
}
