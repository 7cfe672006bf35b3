import { useCallback, useEffect, useRef, useState } from 'react'

/** Loads at once and with each new revision; what was loaded before stays until the new answer is there. */
export function useLoaded<T>(load: () => Promise<T>, revision: number) {
  const [data, setData] = useState<T>()
  const [error, setError] = useState<Error>()
  const newest = useRef(0)
  const latestLoad = useRef(load)
  latestLoad.current = load

  const reload = useCallback(async () => {
    const own = ++newest.current
    try {
      const loaded = await latestLoad.current()
      if (own !== newest.current) return // a later answer counts
      setData(loaded)
      setError(undefined)
    } catch (problem) {
      if (own === newest.current) setError(problem as Error)
    }
  }, [])

  useEffect(() => {
    void reload()
  }, [reload, revision])

  return { data, error, reload }
}
