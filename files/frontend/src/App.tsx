import { useEffect, useRef, useState } from 'react'
import { api, type Health } from './api'
import { ServiceDetail } from './pages/ServiceDetail'
import { ServiceList } from './pages/ServiceList'
import { Link, usePath } from './router'
import { useLiveRevision } from './useLiveRevision'
import { usePageTitle } from './usePageTitle'

export function App() {
  const path = usePath()
  const { revision, live } = useLiveRevision()
  const [health, setHealth] = useState<Health>()
  const main = useRef<HTMLElement>(null)
  const shown = useRef(path)

  useEffect(() => {
    // What the API says of itself is decoration: the pages report when it does not answer.
    api.health().then(setHealth, () => setHealth(undefined))
  }, [live])

  useEffect(() => {
    if (shown.current !== path) main.current?.focus() // a screen reader reads the new page
    shown.current = path
  }, [path])

  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="site-header">
        <div className="bar">
          <Link href="/" className="brand">
            <img src="/favicon.svg" alt="" width="32" height="32" />
            PulseGrid
          </Link>
          {health && <span className="chip">{health.env}</span>}
          <span role="status" className={live ? 'live live-on' : 'live'}>
            {live ? 'Live' : 'Connecting…'}
          </span>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Page path={path} revision={revision} />
      </main>
      <footer className="site-footer">
        <span>
          Release <code>{import.meta.env.VITE_RELEASE}</code>
        </span>
        {health && (
          <span>
            API <code>{health.version}</code>
          </span>
        )}
      </footer>
    </>
  )
}

function Page({ path, revision }: { path: string; revision: number }) {
  if (path === '/') return <ServiceList revision={revision} />
  const id = /^\/services\/(\d+)\/?$/.exec(path)?.[1]
  if (id) return <ServiceDetail key={id} id={id} revision={revision} />
  return <NotFound />
}

function NotFound() {
  usePageTitle('Not found')
  return (
    <section className="card notice">
      <h1>Not found</h1>
      <p>There is nothing at this address.</p>
      <Link href="/">All services</Link>
    </section>
  )
}
