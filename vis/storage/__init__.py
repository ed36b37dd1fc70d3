"""Files and folders that are whole or not there, whatever stops their writer."""
