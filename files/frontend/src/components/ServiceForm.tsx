import { type FormEvent, useId, useState } from 'react'
import { ApiError, type Service, type ServiceInput } from '../api'

interface Props {
  service?: Service // none: a new one
  onSave: (input: ServiceInput) => Promise<unknown>
  onCancel?: () => void
}

/** Leaves the checking to the API, and shows what it says beside each field. */
export function ServiceForm({ service, onSave, onCancel }: Props) {
  const [name, setName] = useState(service?.name ?? '')
  const [url, setUrl] = useState(service?.url ?? '')
  const [saving, setSaving] = useState(false)
  const [error, setError] = useState<ApiError>()

  async function submit(event: FormEvent) {
    event.preventDefault()
    setSaving(true)
    setError(undefined)
    try {
      await onSave({ name, url, enabled: service?.enabled ?? true })
      if (!service) {
        setName('')
        setUrl('')
      }
    } catch (problem) {
      setError(problem as ApiError)
    } finally {
      setSaving(false)
    }
  }

  return (
    <form
      className="service-form"
      aria-label={service ? `Edit ${service.name}` : 'Add a service'}
      noValidate
      onSubmit={submit}
      onKeyDown={(event) => event.key === 'Escape' && onCancel?.()}
    >
      {error && (
        <p role="alert" className="error">
          {error.message}
        </p>
      )}
      <Field label="Name" value={name} onChange={setName} problem={error?.fields.name} placeholder="Billing API" autoFocus={Boolean(service)} />
      <Field label="URL" value={url} onChange={setUrl} problem={error?.fields.url} placeholder="https://billing.example.com/health" type="url" />
      <div className="buttons">
        <button type="submit" className="primary" disabled={saving}>
          {service ? 'Save' : 'Add service'}
        </button>
        {onCancel && (
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
        )}
      </div>
    </form>
  )
}

interface FieldProps {
  label: string
  value: string
  onChange: (value: string) => void
  problem?: string
  placeholder: string
  type?: 'text' | 'url'
  autoFocus?: boolean
}

function Field({ label, value, onChange, problem, type = 'text', ...rest }: FieldProps) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type={type}
        value={value}
        autoComplete="off"
        aria-invalid={problem !== undefined}
        aria-describedby={problem && `${id}-problem`}
        onChange={(event) => onChange(event.target.value)}
        {...rest}
      />
      {problem && (
        <p id={`${id}-problem`} className="field-problem">
          {label} {problem}
        </p>
      )}
    </div>
  )
}
