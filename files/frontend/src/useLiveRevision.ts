import { useEffect, useState } from 'react'
import { apiUrl } from './api'

const retryMilliseconds = 5000

/** Follows the API's event stream: the revision grows with every change, and whenever changes may have been missed. */
export function useLiveRevision() {
  const [revision, setRevision] = useState(0)
  const [live, setLive] = useState(false)

  useEffect(() => {
    let source: EventSource
    let retry: ReturnType<typeof setTimeout> | undefined
    let missed = false

    function changed() {
      setRevision((current) => current + 1)
    }
    function connect() {
      source = new EventSource(`${apiUrl}/events`)
      source.onopen = () => {
        setLive(true)
        if (missed) changed()
        missed = false
      }
      source.onerror = () => {
        setLive(false)
        missed = true
        // The browser itself retries a lost connection, but not an answer such as 502.
        if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, retryMilliseconds)
      }
      source.addEventListener('change', changed)
    }

    connect()
    return () => {
      clearTimeout(retry)
      source.close()
    }
  }, [])

  return { revision, live }
}
