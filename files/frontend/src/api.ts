export interface Service {
  id: number
  name: string
  url: string
  enabled: boolean
  created_at: string
  updated_at: string
}

export type ServiceInput = Pick<Service, 'name' | 'url' | 'enabled'>

export interface Health {
  version: string
  env: string
}

export const apiUrl = import.meta.env.VITE_API_URL

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly fields: Record<string, string> = {},
  ) {
    super(message)
  }
}

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response
  try {
    response = await fetch(apiUrl + path, {
      method,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch {
    throw new ApiError('The API cannot be reached.', 0)
  }
  const isJson = response.headers.get('Content-Type')?.startsWith('application/json') ?? false
  if (!response.ok) {
    const problem = isJson ? await response.json() : {}
    throw new ApiError(problem.message ?? `The API answered ${response.status}.`, response.status, problem.fields)
  }
  if (response.status === 204) return undefined as T
  if (!isJson) throw new ApiError('The API did not answer with JSON.', response.status)
  return response.json()
}

export const api = {
  health: () => request<Health>('GET', '/health'),
  list: async () => (await request<{ services: Service[] }>('GET', '/services')).services,
  get: (id: string) => request<Service>('GET', `/services/${encodeURIComponent(id)}`),
  create: (input: ServiceInput) => request<Service>('POST', '/services', input),
  update: (id: number, input: ServiceInput) => request<Service>('PUT', `/services/${id}`, input),
  remove: (id: number) => request<void>('DELETE', `/services/${id}`),
}
