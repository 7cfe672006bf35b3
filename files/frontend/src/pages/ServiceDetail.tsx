import { useState } from 'react'
import { api, ApiError } from '../api'
import { EnabledSwitch } from '../components/EnabledSwitch'
import { ServiceActions } from '../components/ServiceActions'
import { ServiceForm } from '../components/ServiceForm'
import { Time } from '../components/Time'
import { Link, navigate } from '../router'
import { useLoaded } from '../useLoaded'
import { usePageTitle } from '../usePageTitle'

export function ServiceDetail({ id, revision }: { id: string; revision: number }) {
  const { data: service, error, reload } = useLoaded(() => api.get(id), revision)
  const [editing, setEditing] = useState(false)
  const [edited, setEdited] = useState(false)
  const [failure, setFailure] = useState<Error>()

  function endEditing() {
    setEdited(true)
    setEditing(false)
  }

  const gone = error instanceof ApiError && error.status === 404
  usePageTitle((!gone && service?.name) || 'Service')
  const problem = failure ?? error
  return (
    <>
      <nav aria-label="Breadcrumb">
        <Link href="/">← All services</Link>
      </nav>
      {problem && (
        <p role="alert" className="error">
          {problem.message}
        </p>
      )}
      {!service && !error && <p role="status">Loading…</p>}
      {service && !gone && (
        <article className="card">
          <div className="title">
            <h1>{service.name}</h1>
            {!editing && (
              <ServiceActions service={service} edited={edited} onEdit={() => setEditing(true)} onDeleted={() => navigate('/')} onError={setFailure} />
            )}
          </div>
          {editing ? (
            <ServiceForm
              service={service}
              onSave={async (input) => {
                await api.update(service.id, input)
                endEditing()
                await reload()
              }}
              onCancel={endEditing}
            />
          ) : (
            <dl>
              <dt>URL</dt>
              <dd>
                <a href={service.url} rel="noreferrer">
                  {service.url}
                </a>
              </dd>
              <dt>Monitoring</dt>
              <dd>
                <EnabledSwitch
                  service={service}
                  onSaved={() => {
                    setFailure(undefined)
                    void reload()
                  }}
                  onError={setFailure}
                />
              </dd>
              <dt>Added</dt>
              <dd>
                <Time value={service.created_at} />
              </dd>
              <dt>Changed</dt>
              <dd>
                <Time value={service.updated_at} />
              </dd>
            </dl>
          )}
        </article>
      )}
    </>
  )
}
