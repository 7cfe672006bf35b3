import { type AnchorHTMLAttributes, type MouseEvent, useSyncExternalStore } from 'react'

const changed = 'pulsegrid:navigate'

function subscribe(listener: () => void) {
  window.addEventListener('popstate', listener)
  window.addEventListener(changed, listener)
  return () => {
    window.removeEventListener('popstate', listener)
    window.removeEventListener(changed, listener)
  }
}

/** The path of the address bar. */
export function usePath() {
  return useSyncExternalStore(subscribe, () => window.location.pathname)
}

export function navigate(path: string) {
  window.history.pushState(null, '', path)
  window.dispatchEvent(new Event(changed))
  window.scrollTo(0, 0)
}

/** A link within the application; with a modifier key it stays the browser's own. */
export function Link({ href, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  function follow(event: MouseEvent) {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    navigate(href)
  }
  return <a href={href} onClick={follow} {...rest} />
}
