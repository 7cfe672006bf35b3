import { useState } from 'react'
import { api, type Service } from '../api'

interface Props {
  service: Service
  edited: boolean // the form was open before: the focus comes back here
  onEdit: () => void
  onDeleted: () => void
  onError: (error: Error) => void
}

/** Edit and delete; the latter asks first. */
export function ServiceActions({ service, edited, onEdit, onDeleted, onError }: Props) {
  const [asking, setAsking] = useState(false)
  const [kept, setKept] = useState(false)

  function keep() {
    setKept(true)
    setAsking(false)
  }

  async function remove() {
    try {
      await api.remove(service.id)
      onDeleted()
    } catch (error) {
      setAsking(false)
      onError(error as Error)
    }
  }

  if (asking) {
    return (
      <div key="question" className="buttons" role="group" aria-label={`Delete ${service.name}?`} onKeyDown={(event) => event.key === 'Escape' && keep()}>
        <span>Delete?</span>
        <button type="button" className="danger" onClick={remove} aria-label={`Yes, delete ${service.name}`}>
          Yes
        </button>
        <button type="button" onClick={keep} autoFocus aria-label={`No, keep ${service.name}`}>
          No
        </button>
      </div>
    )
  }
  return (
    <div key="actions" className="buttons">
      <button type="button" className="quiet" onClick={onEdit} autoFocus={edited && !kept} aria-label={`Edit ${service.name}`}>
        Edit
      </button>
      <button type="button" className="quiet quiet-danger" onClick={() => setAsking(true)} autoFocus={kept} aria-label={`Delete ${service.name}`}>
        Delete
      </button>
    </div>
  )
}
