"""How each kind of step is begun and looked at; nothing here writes but through the door that it is handed."""
