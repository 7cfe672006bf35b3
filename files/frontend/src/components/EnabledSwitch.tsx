import { useState } from 'react'
import { api, type Service } from '../api'

interface Props {
  service: Service
  onSaved: () => void
  onError: (error: Error) => void
}

export function EnabledSwitch({ service, onSaved, onError }: Props) {
  const [saving, setSaving] = useState(false)

  async function toggle() {
    setSaving(true)
    try {
      await api.update(service.id, { name: service.name, url: service.url, enabled: !service.enabled })
      onSaved()
    } catch (error) {
      onError(error as Error)
    } finally {
      setSaving(false)
    }
  }

  return (
    <button type="button" role="switch" className="switch" aria-checked={service.enabled} aria-label={`Monitor ${service.name}`} aria-disabled={saving} onClick={() => saving || toggle()}>
      <span className="switch-track" aria-hidden="true" />
      <span aria-hidden="true">{service.enabled ? 'On' : 'Paused'}</span>
    </button>
  )
}
