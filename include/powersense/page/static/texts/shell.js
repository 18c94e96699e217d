// What every view says, in English and French. `{name}` stands for a value.

export const SHELL = {
  "skip": ["Skip to content", "Aller au contenu"],
  "views": ["Views", "Vues"],
  "language": ["Language", "Langue"],
  "forget key": ["Forget key", "Oublier la clé"],
  "close": ["Close", "Fermer"],
  "cancel": ["Cancel", "Annuler"],
  "retry": ["Try again", "Réessayer"],
  "loading": ["Loading…", "Chargement…"],
  "more": ["Show more", "Afficher la suite"],
  "updated": ["Updated {at} UTC", "Actualisé à {at} UTC"],
  "stale": ["Not up to date since {at} UTC: the server does not answer", "Non actualisé depuis {at} UTC : le serveur ne répond pas"],
  "actions": ["Actions", "Actions"],

  "no answer": ["The server does not answer. Check that it runs, then try again.", "Le serveur ne répond pas. Vérifiez qu’il fonctionne, puis réessayez."],
  "no session": ["Your session has ended. Log in to Airflow again.", "Votre session a expiré. Reconnectez-vous à Airflow."],
  "log in": ["Log in", "Se connecter"],
  "forbidden": ["You may not do this: {detail}", "Vous n’avez pas ce droit : {detail}"],
  "not found": ["There is nothing at this address.", "Il n’y a rien à cette adresse."],
  "key title": ["API key", "Clé d’API"],
  "key help": ["This service asks for an API key. Make one with `python -m powersense.api new-key NAME --scope write`; with the scope `read` you can look, and change nothing. The key stays in this tab.", "Ce service demande une clé d’API. Créez-en une avec `python -m powersense.api new-key NOM --scope write` ; avec la portée `read`, vous consultez sans rien modifier. La clé reste dans cet onglet."],
  "key wrong": ["The service does not know this key.", "Le service ne connaît pas cette clé."],
  "key open": ["Open", "Ouvrir"],
};
