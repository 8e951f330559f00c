# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The texts of the learners' pages. Only those in English have been reviewed by native speakers.

Pure: knows neither AWS nor Ansible.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidOption, quote

DEFAULT = "en"
# A language with a script and a region, such as de or de-at. Only the first part decides if the others are unknown.
_TAG = re.compile(r"([a-z]{2,3})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?", re.ASCII)
_PLACEHOLDER = re.compile(r"\{(\w*)\}")

# By language and key. Words in braces stand for what a page has in their place.
TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "for_learner": "For {name}",
        "lab_time": "Lab time: {period}",
        "lab_starts": "Lab starts: {start}",
        "lab_ends": "Lab ends: {end}",
        "open": "Open my lab",
        "check_again": "Check again",
        "left": "{duration} left",
        "valid_until": "Button valid until: {end}",
        "expired": "The button has expired.",
        "open_once": "You can open your lab only once. If that is not enough, ask {contact}.",
        "open_times": "You can open your lab {count} times in all. If that is not enough, ask {contact}.",
        "new_session": "Each opening starts a new session, without the work from the last one. Reloading the lab "
        "counts as opening it, and reloading this page does not.",
        "confirm": "Open your lab now? This counts as one opening and starts a new session, without the work from the "
        "last one.",
        "not_now": "Not now",
        "limit_idle": "Your desktop closes after {duration} without input.",
        "limit_disconnect": "If you close the desktop or lose the connection, come back within {duration}. After that, "
        "your session ends, and unsaved work is lost.",
        "limit_session": "A session ends after {duration}, even while you work: save your work in time.",
        "help_title": "If the button stops working",
        "help": "Reload this page. Its address never changes, and as soon as your lab is available again, the button "
        "opens it. If that does not help, ask {contact}.",
        "private": "This page is for you only. Do not share its address: whoever has it can take your place.",
        "instructor": "your instructor",
        "not_ready": "Your lab is not ready yet.",
        "starts_in": "Starts in {duration}",
        "opens_shortly": "Your lab should open shortly.",
        "waiting_help": "Keep this page open, or come back later: its address never changes. The button that opens "
        "your lab appears here automatically. If it does not appear in time, ask {contact}.",
        "wait": "Please wait…",
        "opening": "Opening your lab…",
        "unavailable": "Your lab is not available right now. Try again in a minute.",
        "unreachable": "This page could not be refreshed. Reload it, or ask your instructor.",
        "needs_script": "This page needs JavaScript to open your lab. Turn on JavaScript in your browser and reload "
        "the page, or ask {contact}.",
        "ended": "The lab has ended.",
        "ended_help": "This page no longer opens anything. If you need your work, ask {contact}.",
        "moved": "This page has been replaced by another one.",
        "moved_help": "It no longer opens anything. If you have not received the new link, ask {contact}.",
        "hour": "{count} hour",
        "hours": "{count} hours",
        "minute": "{count} minute",
        "minutes": "{count} minutes",
    },
    "de": {
        "for_learner": "Für {name}",
        "lab_time": "Kurszeit: {period}",
        "lab_starts": "Beginn: {start}",
        "lab_ends": "Ende: {end}",
        "open": "Mein Labor öffnen",
        "check_again": "Erneut prüfen",
        "left": "Noch {duration}",
        "valid_until": "Schaltfläche gültig bis: {end}",
        "expired": "Die Schaltfläche ist abgelaufen.",
        "open_once": "Sie können Ihr Labor nur einmal öffnen. Wenn das nicht reicht, fragen Sie {contact}.",
        "open_times": "Sie können Ihr Labor insgesamt {count}-mal öffnen. Wenn das nicht reicht, fragen Sie {contact}.",
        "new_session": "Mit jedem Öffnen beginnt eine neue Sitzung, ohne die Arbeit aus der vorigen. Auch das "
        "Neuladen des Labors zählt als Öffnen, das Neuladen dieser Seite nicht.",
        "confirm": "Möchten Sie Ihr Labor jetzt öffnen? Damit beginnt eine neue Sitzung, ohne die Arbeit aus der "
        "vorigen. Jedes Öffnen zählt.",
        "not_now": "Jetzt nicht",
        "limit_idle": "Ihr Desktop wird nach {duration} ohne Eingabe geschlossen.",
        "limit_disconnect": "Wenn Sie den Desktop schließen oder die Verbindung verlieren, kehren Sie innerhalb "
        "von {duration} zurück. Danach endet Ihre Sitzung, und was nicht gespeichert ist, geht verloren.",
        "limit_session": "Eine Sitzung endet nach {duration}, auch während Sie arbeiten: Speichern Sie rechtzeitig.",
        "help_title": "Wenn die Schaltfläche nicht mehr funktioniert",
        "help": "Laden Sie diese Seite neu. Ihre Adresse ändert sich nie, und sobald Ihr Labor wieder "
        "verfügbar ist, öffnet es die Schaltfläche. Wenn das nicht hilft, fragen Sie {contact}.",
        "private": "Diese Seite ist nur für Sie. Geben Sie ihre Adresse nicht weiter: Wer sie hat, kann Ihren "
        "Platz einnehmen.",
        "instructor": "Ihre Kursleitung",
        "not_ready": "Ihr Labor ist noch nicht bereit.",
        "starts_in": "Noch {duration} bis zum Beginn",
        "opens_shortly": "Ihr Labor sollte in Kürze öffnen.",
        "waiting_help": "Lassen Sie diese Seite offen, oder kommen Sie später wieder: Ihre Adresse ändert "
        "sich nie. Die Schaltfläche, die Ihr Labor öffnet, erscheint hier von selbst. Wenn sie nicht "
        "rechtzeitig erscheint, fragen Sie {contact}.",
        "wait": "Bitte warten…",
        "opening": "Ihr Labor wird geöffnet…",
        "unavailable": "Ihr Labor ist gerade nicht verfügbar. Versuchen Sie es in einer Minute noch einmal.",
        "unreachable": "Diese Seite konnte nicht aktualisiert werden. Laden Sie sie neu, oder fragen Sie Ihre "
        "Kursleitung.",
        "needs_script": "Diese Seite braucht JavaScript, um Ihr Labor zu öffnen. Aktivieren Sie JavaScript in Ihrem "
        "Browser und laden Sie die Seite neu, oder fragen Sie {contact}.",
        "ended": "Das Labor ist beendet.",
        "ended_help": "Diese Seite öffnet nichts mehr. Wenn Sie Ihre Arbeit brauchen, fragen Sie {contact}.",
        "moved": "Diese Seite wurde durch eine andere ersetzt.",
        "moved_help": "Sie öffnet nichts mehr. Wenn Sie den neuen Link nicht erhalten haben, fragen Sie {contact}.",
        "hour": "{count} Stunde",
        "hours": "{count} Stunden",
        "minute": "{count} Minute",
        "minutes": "{count} Minuten",
    },
    "es": {
        "for_learner": "Para {name}",
        "lab_time": "Horario: {period}",
        "lab_starts": "Inicio: {start}",
        "lab_ends": "Fin: {end}",
        "open": "Abrir mi laboratorio",
        "check_again": "Comprobar de nuevo",
        "left": "Tiempo restante: {duration}",
        "valid_until": "Botón válido hasta: {end}",
        "expired": "El botón ha caducado.",
        "open_once": "Solo puede abrir su laboratorio una vez. Si no es suficiente, pregunte a {contact}.",
        "open_times": "Puede abrir su laboratorio {count} veces en total. Si no son suficientes, pregunte a {contact}.",
        "new_session": "Cada vez que lo abre, empieza una sesión nueva, sin el trabajo de la anterior. Recargar el "
        "laboratorio también cuenta; recargar esta página, no.",
        "confirm": "¿Quiere abrir su laboratorio ahora? Empezará una sesión nueva, sin el trabajo de la anterior. "
        "Cada apertura cuenta.",
        "not_now": "Ahora no",
        "limit_idle": "Su escritorio se cierra tras {duration} sin actividad.",
        "limit_disconnect": "Si cierra el escritorio o pierde la conexión, vuelva en menos de {duration}. "
        "Después, su sesión termina y se pierde lo que no haya guardado.",
        "limit_session": "Una sesión termina tras {duration}, aunque esté trabajando: guarde su trabajo a tiempo.",
        "help_title": "Si el botón deja de funcionar",
        "help": "Recargue esta página. Su dirección no cambia nunca y, en cuanto su laboratorio vuelva a "
        "estar disponible, el botón lo abrirá. Si eso no ayuda, pregunte a {contact}.",
        "private": "Esta página es solo para usted. No comparta su dirección: quien la tenga puede ocupar su lugar.",
        "instructor": "su docente",
        "not_ready": "Su laboratorio aún no está listo.",
        "starts_in": "Tiempo hasta el inicio: {duration}",
        "opens_shortly": "Su laboratorio debería abrirse en breve.",
        "waiting_help": "Deje esta página abierta o vuelva más tarde: su dirección no cambia nunca. El "
        "botón que abre su laboratorio aparece aquí automáticamente. Si no aparece a tiempo, pregunte a "
        "{contact}.",
        "wait": "Espere, por favor…",
        "opening": "Abriendo su laboratorio…",
        "unavailable": "Su laboratorio no está disponible en este momento. Inténtelo de nuevo en un minuto.",
        "unreachable": "No se ha podido actualizar esta página. Recárguela o pregunte a su docente.",
        "needs_script": "Esta página necesita JavaScript para abrir su laboratorio. Active JavaScript en su navegador "
        "y recargue la página, o pregunte a {contact}.",
        "ended": "El laboratorio ha terminado.",
        "ended_help": "Esta página ya no abre nada. Si necesita su trabajo, pregunte a {contact}.",
        "moved": "Esta página ha sido sustituida por otra.",
        "moved_help": "Ya no abre nada. Si no ha recibido el nuevo enlace, pregunte a {contact}.",
        "hour": "{count} hora",
        "hours": "{count} horas",
        "minute": "{count} minuto",
        "minutes": "{count} minutos",
    },
    "fr": {
        "for_learner": "Pour {name}",
        "lab_time": "Horaires\u00a0: {period}",
        "lab_starts": "Début\u00a0: {start}",
        "lab_ends": "Fin\u00a0: {end}",
        "open": "Ouvrir mon labo",
        "check_again": "Vérifier à nouveau",
        "left": "Temps restant\u00a0: {duration}",
        "valid_until": "Bouton valable jusqu'au\u00a0: {end}",
        "expired": "Le bouton a expiré.",
        "open_once": "Vous ne pouvez ouvrir votre labo qu'une seule fois. Si cela ne suffit pas, adressez-vous à "
        "{contact}.",
        "open_times": "Vous pouvez ouvrir votre labo {count} fois au total. Si cela ne suffit pas, adressez-vous à "
        "{contact}.",
        "new_session": "Chaque ouverture démarre une nouvelle session, sans le travail de la précédente. Recharger le "
        "labo compte aussi comme une ouverture\u00a0; recharger cette page, non.",
        "confirm": "Voulez-vous ouvrir votre labo maintenant\u00a0? Une nouvelle session démarrera, sans le travail "
        "de la précédente. Chaque ouverture compte.",
        "not_now": "Pas maintenant",
        "limit_idle": "Votre bureau se ferme après {duration} d'inactivité.",
        "limit_disconnect": "Si vous fermez le bureau ou perdez la connexion, revenez en moins de {duration}. "
        "Ensuite, votre session se termine et le travail non enregistré est perdu.",
        "limit_session": "Une session se termine après {duration}, même si vous travaillez\u00a0: "
        "enregistrez votre travail à temps.",
        "help_title": "Si le bouton ne fonctionne plus",
        "help": "Rechargez cette page. Son adresse ne change jamais et, dès que votre labo est de nouveau "
        "disponible, le bouton l'ouvre. Si cela ne suffit pas, adressez-vous à {contact}.",
        "private": "Cette page est pour vous seulement. Ne partagez pas son adresse\u00a0: toute personne qui l'a peut "
        "prendre votre place.",
        "instructor": "votre responsable de cours",
        "not_ready": "Votre labo n'est pas encore prêt.",
        "starts_in": "Temps avant le début\u00a0: {duration}",
        "opens_shortly": "Votre labo devrait bientôt ouvrir.",
        "waiting_help": "Laissez cette page ouverte ou revenez plus tard\u00a0: son adresse ne change jamais. Le "
        "bouton qui ouvre votre labo apparaît ici automatiquement. S'il n'apparaît pas à temps, "
        "adressez-vous à {contact}.",
        "wait": "Veuillez patienter…",
        "opening": "Ouverture de votre labo…",
        "unavailable": "Votre labo n'est pas disponible pour le moment. Réessayez dans une minute.",
        "unreachable": "Cette page n'a pas pu être actualisée. Rechargez-la ou adressez-vous à votre "
        "responsable de cours.",
        "needs_script": "Cette page a besoin de JavaScript pour ouvrir votre labo. Activez JavaScript dans votre "
        "navigateur et rechargez la page, ou adressez-vous à {contact}.",
        "ended": "Le labo est terminé.",
        "ended_help": "Cette page n'ouvre plus rien. Si vous avez besoin de votre travail, adressez-vous à {contact}.",
        "moved": "Cette page a été remplacée par une autre.",
        "moved_help": "Elle n'ouvre plus rien. Si vous n'avez pas reçu le nouveau lien, adressez-vous à {contact}.",
        "hour": "{count} heure",
        "hours": "{count} heures",
        "minute": "{count} minute",
        "minutes": "{count} minutes",
    },
}


@dataclass(frozen=True)
class Language:
    """A language of pages: its tag, as the attribute ``lang`` has it, and all texts by key."""

    tag: str
    texts: Mapping[str, str]


ENGLISH = Language(DEFAULT, TEXTS[DEFAULT])


class Languages:
    """The languages that pages can be in.

    Args:
        own: Texts by language and key that replace ours, or are in another language.

    Raises:
        InvalidOption: A language, key or placeholder is not valid. Names it.
    """

    def __init__(self, own: Mapping[str, Any] | None = None) -> None:
        self._texts = [TEXTS, {_parse_own_tag(tag): _validate_texts(tag, texts) for tag, texts in (own or {}).items()}]

    def find(self, tag: str) -> Language | None:
        """Return the language of a tag such as ``de`` or ``de_AT``, with texts in English for those that it lacks.

        None if there is no text at all in it.
        """
        tag = _fold(tag)
        base = tag.partition("-")[0]
        texts = [each[name] for name in dict.fromkeys((base, tag)) for each in self._texts if name in each]
        if not texts or not _TAG.fullmatch(tag):
            return None
        return Language(tag, {key: text for each in (ENGLISH.texts, *texts) for key, text in each.items()})


def is_language_tag(tag: str) -> bool:
    """Return whether the text can name a language."""
    return _TAG.fullmatch(_fold(tag)) is not None


def find_placeholders(text: str) -> set[str]:
    """Return the names in braces."""
    return set(_PLACEHOLDER.findall(text))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return the text with values in place of the names in braces."""
    return _PLACEHOLDER.sub(lambda placeholder: values[placeholder[1]], text)


def _fold(tag: str) -> str:
    return tag.strip().replace("_", "-").lower()


def _parse_own_tag(tag: Any) -> str:
    if not is_language_tag(str(tag)):
        raise InvalidOption(f"texts has {quote(tag)}, but its keys must be languages such as de.")
    return _fold(str(tag))


def _validate_texts(tag: str, texts: Any) -> dict[str, str]:
    """Return the texts of a language if these are like ours."""
    if not isinstance(texts, Mapping):
        raise InvalidOption(
            f"texts has {quote(texts)} for {quote(tag)}, but it must be texts by key, such as {{'open': '...'}}."
        )
    for key, text in texts.items():
        if key not in ENGLISH.texts:
            raise InvalidOption(
                f"texts has the key {quote(key)} for {quote(tag)}, but the keys are {', '.join(ENGLISH.texts)}."
            )
        known = find_placeholders(ENGLISH.texts[key])
        if not isinstance(text, str) or not text.strip() or find_placeholders(text) != known:
            must = f"with {', '.join(f'{{{name}}}' for name in sorted(known))}" if known else "without names in braces"
            raise InvalidOption(
                f"texts has {quote(text)} as {key} for {quote(tag)}, but it must be text {must}, such as "
                f"{quote(ENGLISH.texts[key])}."
            )
    return dict(texts)
