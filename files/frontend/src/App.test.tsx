import { act, render, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { App } from './App'
import { FakeApi, FakeEventSource } from './test/fakes'

let api: FakeApi
let user: ReturnType<typeof userEvent.setup>

beforeEach(() => {
  api = new FakeApi()
  user = userEvent.setup()
  FakeEventSource.all = []
  vi.stubGlobal('fetch', api.fetch)
  vi.stubGlobal('EventSource', FakeEventSource)
})

function open(path = '/') {
  window.history.replaceState(null, '', path)
  render(<App />)
}

const rowOf = (name: string) => screen.findByRole('row', { name: new RegExp(name) })
const stream = () => FakeEventSource.all.at(-1)!

describe('the list', () => {
  test('shows every service with its state, and which release this is', async () => {
    api.add('Billing')
    api.add('Search', false)
    open()
    expect(within(await rowOf('Billing')).getByRole('switch').getAttribute('aria-checked')).toBe('true')
    expect(within(await rowOf('Search')).getByRole('switch').getAttribute('aria-checked')).toBe('false')
    expect(screen.getByText('https://search.example.com/')).toBeTruthy()
    expect(screen.getByText(/monitored,/).textContent).toBe('1 monitored, 1 paused')
    expect(screen.getByRole('contentinfo').textContent).toBe('Release devAPI 1.2.3')
    expect(document.title).toBe('Services · PulseGrid')
  })

  test('invites to add the first service', async () => {
    open()
    expect(await screen.findByRole('heading', { name: 'No services yet' })).toBeTruthy()
  })

  test('adds a service after the API found fault with it', async () => {
    open()
    await user.type(screen.getByLabelText('Name'), 'Billing')
    await user.click(screen.getByRole('button', { name: 'Add service' }))
    expect((await screen.findByRole('alert')).textContent).toBe('The service is not valid')
    const url = screen.getByLabelText('URL')
    expect(url.getAttribute('aria-invalid')).toBe('true')
    expect(document.getElementById(url.getAttribute('aria-describedby')!)!.textContent).toBe('URL is required')
    expect(api.services).toEqual([])

    await user.type(url, 'https://billing.example.com/{Enter}')
    expect(await rowOf('Billing')).toBeTruthy()
    expect(api.services).toMatchObject([{ name: 'Billing', url: 'https://billing.example.com/', enabled: true }])
    expect(screen.queryByRole('alert')).toBeNull()
    expect((screen.getByLabelText('Name') as HTMLInputElement).value).toBe('')
  })

  test('edits in place, or not when cancelled, and gives the focus back', async () => {
    api.add('Billing', false)
    open()
    await user.click(await screen.findByRole('button', { name: 'Edit Billing' }))
    const form = within(screen.getByRole('form', { name: 'Edit Billing' }))
    expect(document.activeElement).toBe(form.getByLabelText('Name'))
    await user.type(form.getByLabelText('Name'), ' API{Escape}')
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Edit Billing' }))
    expect(api.services[0]!.name).toBe('Billing')

    await user.keyboard('{Enter}')
    await user.keyboard(' API{Enter}')
    expect(await rowOf('Billing API')).toBeTruthy()
    expect(api.services[0]).toMatchObject({ name: 'Billing API', enabled: false })
  })

  test('pauses a service', async () => {
    api.add('Billing')
    open()
    await user.click(await screen.findByRole('switch', { name: 'Monitor Billing' }))
    await waitFor(() => expect(screen.getByRole('switch').getAttribute('aria-checked')).toBe('false'))
    expect(api.services[0]).toMatchObject({ name: 'Billing', enabled: false })
  })

  test('deletes only what was confirmed', async () => {
    api.add('Billing')
    api.add('Search')
    open()
    await user.click(await screen.findByRole('button', { name: 'Delete Search' }))
    await user.click(screen.getByRole('button', { name: 'No, keep Search' }))
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Delete Search' }))
    expect(api.services).toHaveLength(2)

    await user.keyboard('{Enter}')
    await user.click(screen.getByRole('button', { name: 'Yes, delete Search' }))
    await waitFor(() => expect(screen.queryByText('Search')).toBeNull())
    expect(api.services.map((service) => service.name)).toEqual(['Billing'])
  })

  test('says when the API is down, and recovers', async () => {
    api.down = true
    open()
    expect((await screen.findByRole('alert')).textContent).toContain('The API answered 502.')
    api.down = false
    api.add('Billing')
    await user.click(screen.getByRole('button', { name: 'Try again' }))
    expect(await rowOf('Billing')).toBeTruthy()
    expect(screen.queryByRole('alert')).toBeNull()
  })
})

describe('live changes', () => {
  test('of others appear without a reload', async () => {
    open()
    await screen.findByRole('heading', { name: 'No services yet' })
    expect(stream().url).toBe('/api/v1/events')
    expect(screen.getByText('Connecting…')).toBeTruthy()
    act(() => stream().onopen!())
    expect(screen.getByText('Live')).toBeTruthy()

    api.add('Billing')
    act(() => void stream().dispatchEvent(new Event('change')))
    expect(await rowOf('Billing')).toBeTruthy()
  })

  test('that were missed while away are caught up', async () => {
    open()
    await screen.findByRole('heading', { name: 'No services yet' })
    act(() => stream().onopen!())
    act(() => stream().onerror!())
    expect(screen.getByText('Connecting…')).toBeTruthy()
    api.add('Billing')
    act(() => stream().onopen!())
    expect(await rowOf('Billing')).toBeTruthy()
  })

  test('go on after the server refused the stream', () => {
    vi.useFakeTimers()
    try {
      open()
      stream().readyState = FakeEventSource.CLOSED
      act(() => stream().onerror!())
      expect(FakeEventSource.all).toHaveLength(1)
      act(() => vi.advanceTimersByTime(5000))
      expect(FakeEventSource.all).toHaveLength(2)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('addresses', () => {
  test('a deep link opens the detail page, and the way back leads to the list', async () => {
    api.add('Billing')
    open('/services/1')
    expect(await screen.findByRole('heading', { name: 'Billing' })).toBeTruthy()
    expect(document.title).toBe('Billing · PulseGrid')
    await user.click(screen.getByRole('link', { name: '← All services' }))
    expect(window.location.pathname).toBe('/')
    await user.click(await screen.findByRole('link', { name: 'Billing' }))
    expect(window.location.pathname).toBe('/services/1')
    expect(document.activeElement).toBe(screen.getByRole('main'))
    act(() => window.history.back())
    expect(await screen.findByRole('heading', { name: 'Services' })).toBeTruthy()
  })

  test('the detail page edits and deletes', async () => {
    api.add('Billing')
    open('/services/1')
    await user.click(await screen.findByRole('button', { name: 'Edit Billing' }))
    await user.type(screen.getByLabelText('Name'), ' API{Enter}')
    expect(await screen.findByRole('heading', { name: 'Billing API' })).toBeTruthy()
    await user.click(screen.getByRole('button', { name: 'Delete Billing API' }))
    await user.click(screen.getByRole('button', { name: 'Yes, delete Billing API' }))
    expect(await screen.findByRole('heading', { name: 'No services yet' })).toBeTruthy()
    expect(window.location.pathname).toBe('/')
  })

  test.each([
    ['/services/9', 'There is no such service'],
    ['/nowhere', 'There is nothing at this address.'],
  ])('%s says what is wrong', async (path, message) => {
    open(path)
    expect(await screen.findByText(message)).toBeTruthy()
  })
})
