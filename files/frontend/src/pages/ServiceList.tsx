import { useState } from 'react'
import { api, type Service } from '../api'
import { EnabledSwitch } from '../components/EnabledSwitch'
import { ServiceActions } from '../components/ServiceActions'
import { ServiceForm } from '../components/ServiceForm'
import { Time } from '../components/Time'
import { Link } from '../router'
import { useLoaded } from '../useLoaded'
import { usePageTitle } from '../usePageTitle'

export function ServiceList({ revision }: { revision: number }) {
  usePageTitle('Services')
  const { data: services, error, reload } = useLoaded(api.list, revision)
  const [editing, setEditing] = useState<number>()
  const [edited, setEdited] = useState<number>()
  const [failure, setFailure] = useState<Error>()
  const [message, setMessage] = useState('')

  async function done(what: string) {
    setFailure(undefined)
    setMessage(what)
    await reload()
  }

  function endEditing() {
    setEdited(editing)
    setEditing(undefined)
  }

  const problem = failure ?? error
  const enabled = services?.filter((service) => service.enabled).length ?? 0
  return (
    <>
      <div className="title">
        <h1>Services</h1>
        {services && services.length > 0 && (
          <p className="counts">
            <strong>{enabled}</strong> monitored, <strong>{services.length - enabled}</strong> paused
          </p>
        )}
      </div>
      {problem && (
        <p role="alert" className="error">
          {problem.message}{' '}
          <button
            type="button"
            onClick={() => {
              setFailure(undefined)
              void reload()
            }}
          >
            Try again
          </button>
        </p>
      )}
      <p role="status" className="visually-hidden">
        {message}
      </p>

      <section className="card" aria-labelledby="add">
        <h2 id="add">Add a service</h2>
        <ServiceForm onSave={async (input) => done(`${(await api.create(input)).name} is added.`)} />
      </section>

      {!services && !error && <p role="status">Loading…</p>}
      {services?.length === 0 && (
        <section className="card notice">
          <h2>No services yet</h2>
          <p>Add the first one above: everybody who has this page open sees it at once.</p>
        </section>
      )}
      {services && services.length > 0 && (
        <section className="card table-card" aria-label="All services">
          <table>
            <thead>
              <tr>
                <th scope="col">Service</th>
                <th scope="col">Monitoring</th>
                <th scope="col">Changed</th>
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {services.map((service) =>
                service.id === editing ? (
                  <tr key={service.id}>
                    <td colSpan={4}>
                      <ServiceForm
                        service={service}
                        onSave={async (input) => {
                          const saved = await api.update(service.id, input)
                          endEditing()
                          await done(`${saved.name} is saved.`)
                        }}
                        onCancel={endEditing}
                      />
                    </td>
                  </tr>
                ) : (
                  <Row
                    key={service.id}
                    service={service}
                    edited={service.id === edited}
                    onEdit={() => setEditing(service.id)}
                    onChanged={done}
                    onError={setFailure}
                  />
                ),
              )}
            </tbody>
          </table>
        </section>
      )}
    </>
  )
}

interface RowProps {
  service: Service
  edited: boolean
  onEdit: () => void
  onChanged: (what: string) => void
  onError: (error: Error) => void
}

function Row({ service, edited, onEdit, onChanged, onError }: RowProps) {
  return (
    <tr className={service.enabled ? undefined : 'paused'}>
      <th scope="row">
        <Link href={`/services/${service.id}`}>{service.name}</Link>
        <span className="url">{service.url}</span>
      </th>
      <td>
        <EnabledSwitch service={service} onSaved={() => onChanged(`${service.name} is ${service.enabled ? 'paused' : 'monitored'}.`)} onError={onError} />
      </td>
      <td className="when">
        <Time value={service.updated_at} />
      </td>
      <td className="actions">
        <ServiceActions
          service={service}
          edited={edited}
          onEdit={onEdit}
          onDeleted={() => {
            document.getElementById('main')?.focus() // the button that had it is gone
            onChanged(`${service.name} is deleted.`)
          }}
          onError={onError}
        />
      </td>
    </tr>
  )
}
